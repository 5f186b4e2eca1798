package relaytest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"obvan/relay/testserver"
)

// Path lies between an output and a well-behaved server over TCP: it does what a
// testserver.Behaviour says about closing, stalling and reading slowly.
type Path struct {
	ln     net.Listener
	target string
	open   sync.WaitGroup
	done   chan struct{}

	mu    sync.Mutex
	how   testserver.Behaviour
	since time.Time // the server accepted
	conns []*net.TCPConn
}

// NewPath leads to target; it ends with the test.
func NewPath(t testing.TB, target string) *Path {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Path{ln: ln, target: target, done: make(chan struct{})}
	p.open.Go(p.accept)
	t.Cleanup(func() {
		close(p.done)
		ln.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.open.Wait()
	})
	return p
}

// Addr is where it listens.
func (p *Path) Addr() string { return p.ln.Addr().String() }

// Accepted sets how to behave from now on: the server has accepted the stream.
func (p *Path) Accepted(how testserver.Behaviour) {
	p.mu.Lock()
	// The server's answer is still on its way back.
	p.how, p.since = how, time.Now().Add(50*time.Millisecond)
	p.mu.Unlock()
	if how.CloseAfter > 0 {
		time.AfterFunc(how.CloseAfter+50*time.Millisecond, p.cut)
	}
}

// cut ends all connections.
func (p *Path) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if p.how.Reset {
			_ = c.SetLinger(0)
		}
		_ = c.Close()
	}
	p.conns = nil
}

func (p *Path) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in.(*net.TCPConn), out.(*net.TCPConn))
		p.mu.Unlock()
		p.open.Go(func() { _, _ = io.Copy(in, out); _ = in.(*net.TCPConn).CloseWrite() })
		p.open.Go(func() { p.forward(in.(*net.TCPConn), out.(*net.TCPConn)) })
	}
}

// forward passes on what the output sends.
func (p *Path) forward(in, out *net.TCPConn) {
	defer func() { _ = out.CloseWrite() }()
	buf := make([]byte, 32<<10)
	small := false
	for {
		p.mu.Lock()
		how, since := p.how, p.since
		p.mu.Unlock()
		active := !since.IsZero() && time.Now().After(since)
		if active && how.Buffer > 0 && !small {
			small = true
			_ = in.SetReadBuffer(how.Buffer)
		}
		if active && how.StallAfter > 0 && time.Since(since) >= how.StallAfter {
			<-p.done
			return
		}
		b := buf
		if active && how.Rate > 0 {
			b = buf[:min(len(buf), max(1, how.Rate/20))]
		}
		_ = in.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // to check the behaviour again
		n, err := in.Read(b)
		if n > 0 {
			if _, err := out.Write(b[:n]); err != nil {
				return
			}
			if active && how.Rate > 0 {
				time.Sleep(time.Duration(n) * time.Second / time.Duration(how.Rate)) // the path is that slow
			}
		}
		if ne, ok := err.(net.Error); err != nil && !(ok && ne.Timeout()) {
			return
		}
	}
}
