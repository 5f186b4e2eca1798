package srt

import (
	"cmp"
	"context"
	"net"
	"time"
)

// nextAddrAfter is how long one of a host's addresses has before the next is tried as
// well.
const nextAddrAfter = 300 * time.Millisecond

// dialResult is a listener that answered, or why none did.
type dialResult struct {
	k     *caller
	first handshake
	err   error
}

// dialHost resolves a host and calls its addresses, one after the other, until one answers
// (RFC 8305). Over UDP nothing else shows that a network has no IPv6 although this machine
// has, or that the server only listens on IPv4. An induction costs a listener nothing
// until it gets the conclusion.
func dialHost(ctx context.Context, to target) (*caller, handshake, error) {
	host, port, err := net.SplitHostPort(to.addr)
	if err != nil {
		return nil, handshake{}, err
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, handshake{}, err
	}
	for i := range addrs {
		addrs[i] = net.JoinHostPort(addrs[i], port)
	}
	return dialAddrs(ctx, to, addrs)
}

// dialAddrs is dialHost for addresses.
func dialAddrs(ctx context.Context, to target, addrs []string) (*caller, handshake, error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	answers := make(chan dialResult, len(addrs))
	next := time.NewTimer(0)
	defer next.Stop()
	var why error
	for open := 0; open > 0 || len(addrs) > 0; {
		select {
		case <-next.C:
			if len(addrs) == 0 {
				continue
			}
			addr := addrs[0]
			addrs, open = addrs[1:], open+1
			go func() {
				k, first, err := callAddr(ctx, to, addr)
				answers <- dialResult{k, first, err}
			}()
			next.Reset(nextAddrAfter)
		case a := <-answers:
			open--
			if a.err != nil {
				why = cmp.Or(why, a.err)
				next.Reset(0)
				continue
			}
			done()
			for range open { // they end at once
				if late := <-answers; late.k != nil {
					_ = late.k.udp.Close()
				}
			}
			return a.k, a.first, nil
		}
	}
	return nil, handshake{}, why
}
