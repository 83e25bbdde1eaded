module.exports = {
  preset: 'ts-jest/presets/js-with-ts',
  testEnvironment: '<rootDir>/jest.environment.js',
  testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/src/**/*.spec.tsx'],
  transform: {
    '\\.[jt]sx?$': [
      'ts-jest',
      {
        tsconfig: {
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          jsx: 'react',
          module: 'commonjs',
          target: 'ES2021'
        },
        diagnostics: false
      }
    ]
  },
  // JupyterLab's packages are ES modules.
  transformIgnorePatterns: [
    '/node_modules/(?!(@jupyter|@jupyterlab|@lumino|lib0|y-protocols|yjs|nanoid|uuid)/)'
  ],
  moduleNameMapper: {
    '\\.(css|svg)$': '<rootDir>/jest.asset.js',
    '^@jupyterlab/ui-components$': '<rootDir>/jest.ui_components.js'
  }
};
