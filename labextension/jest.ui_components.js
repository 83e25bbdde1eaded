// What we use of JupyterLab's components, without its forms, which are no modules that jest reads.
module.exports = {
  ...require('@jupyterlab/ui-components/lib/icon'),
  ...require('@jupyterlab/ui-components/lib/components/vdom')
};
