// The components of JupyterLab's that we use, without its forms, which jest can't load.
module.exports = {
  ...require('@jupyterlab/ui-components/lib/icon'),
  ...require('@jupyterlab/ui-components/lib/components/vdom')
};
