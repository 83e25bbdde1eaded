import jupyter_wb_aws
from jupyter_wb_aws.app import WbAwsApp


def test_jupyter_server_finds_the_extension():
    (point,) = jupyter_wb_aws._jupyter_server_extension_points()
    assert point["app"] is WbAwsApp
