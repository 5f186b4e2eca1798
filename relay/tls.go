package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

const tlsTimeout = 8 * time.Second

// ClientTLS starts TLS on a connection to host; the connection is closed when that fails.
// config, which may be nil, gets the host's name where it has none.
func ClientTLS(ctx context.Context, conn net.Conn, host string, config *tls.Config) (*tls.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}
