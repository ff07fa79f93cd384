"""The embedded default: a small closed world of the six tasks and a tiny LLaMA base for it.

With no GPU, no weights and no network a sweep still really trains and really evaluates: on rows in
the datasets' own schemas, made of invented words (`world`), from a base that was pretrained on
texts of the same world (`pretrain`). Its numbers say nothing about language models of any size.
"""
