//go:build !linux

package rtmp

import "net"

// prompt is a write that does not wait; here each destination writes by itself.
type prompt struct{}

func (l *line) prepare() bool { return false }

func (p *prompt) write(*line, net.Buffers) (int64, error) { panic("prepare said no") }

func (l *line) from(*pages) {}

func (l *line) full() bool { return false }

func (l *line) drain() error { return nil }

// pages are what sockets send from without a copy, elsewhere.
type pages struct{}

func newPages() *pages { return nil }

func (p *pages) put([]byte) {}

func (p *pages) close() {}
