import subprocess
import sys

import jupyter_wb_aws
from jupyter_wb_aws.app import WbAwsApp


def test_jupyter_server_finds_the_extension():
    (point,) = jupyter_wb_aws._jupyter_server_extension_points()
    assert point["app"] is WbAwsApp


def test_the_domain_is_imported_without_what_a_server_does_not_need_to_start():
    modules = "identity.command_source identity.file_source identity.oidc_source identity.token_cache roles.catalogue_file aws.sts aws.file_conflicts"
    program = "".join(f"import jupyter_wb_aws.{module}\n" for module in modules.split())
    program += "import sys\nprint({'jwt', 'boto3', 'botocore', 'cryptography', 'httpx2', 'httpcore2', 'psutil', 'urllib.request'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
