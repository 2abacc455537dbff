"""A trained model as a static page: its networks as ONNX, run by the visitor's browser, with no server behind them."""
