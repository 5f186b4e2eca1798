package listen

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// ToHTTPS is a listener to put below TLS. A client that sends plain HTTP was given the
// address without https: it is redirected instead of answered "bad request".
type ToHTTPS struct{ net.Listener }

// Accept waits for a connection.
func (l ToHTTPS) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainOrTLS{Conn: conn}, nil
}

// plainOrTLS checks the first byte: a TLS handshake begins with 22 (RFC 8446, 5.1),
// HTTP with a letter.
type plainOrTLS struct {
	net.Conn
	checked bool
}

func (c *plainOrTLS) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.checked || n == 0 {
		return n, err
	}
	c.checked = true
	if p[0] < 'A' || p[0] > 'Z' {
		return n, err
	}
	c.redirect(p[:n])
	return 0, io.EOF
}

const (
	redirectWithin = 2 * time.Second
	redirectBytes  = 8 << 10
)

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,255}$`)

func (c *plainOrTLS) redirect(head []byte) {
	_ = c.Conn.SetDeadline(time.Now().Add(redirectWithin))
	defer c.Conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(io.MultiReader(bytes.NewReader(head), c.Conn), redirectBytes)))
	if err != nil || !hostPattern.MatchString(req.Host) {
		return
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		fmt.Fprint(c.Conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 17\r\n\r\nUse https here.\r\n")
		return
	}
	to := url.URL{Scheme: "https", Host: req.Host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	// 307, since browsers cache a 301 and could not return to http once https is switched off.
	fmt.Fprintf(c.Conn, "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", to.String())
}
