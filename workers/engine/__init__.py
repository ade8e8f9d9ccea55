"""The language model behind the Engine port: encode, prefill, decode, batching, prefix cache."""
