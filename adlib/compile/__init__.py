"""The compiler: jaxprs become native code, and run as it where they can."""
