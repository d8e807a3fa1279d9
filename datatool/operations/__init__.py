"""One verb per module: options in, a frozen result out, progress by callback."""
