package main

func (ts *types) markdown() []byte { return []byte("# Protocol\n") }
