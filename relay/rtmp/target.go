package rtmp

import (
	"net"
	"net/url"
	"strings"

	"obvan/relay"
)

// target is where to publish, in the terms of RTMP's commands.
type target struct {
	addr    string // host:port
	host    string // for the certificate
	tls     bool
	app     string
	tcURL   string
	name    string // the stream's: the key
	secrets []string
}

// CheckAddress is relay.Output's.
func CheckAddress(u *url.URL) error {
	_, err := parse(u)
	return err
}

// parse splits an address. With the key as fragment all of the address is the app's, its
// query too; without one the last path element is the stream's name and the query belongs
// to it. Nothing is decoded: platforms compare byte by byte.
func parse(u *url.URL) (target, error) {
	if u.User != nil {
		return target{}, relay.NewRemoteError(relay.ErrInvalidAddress, "RTMP URLs can't contain a user name: remove the part before the @")
	}
	t := target{host: u.Hostname(), tls: u.Scheme == "rtmps", secrets: relay.Secrets(u)}
	port := u.Port()
	if port == "" {
		port = "1935"
		if t.tls {
			port = "443"
		}
	}
	t.addr = net.JoinHostPort(t.host, port)
	t.app, t.name = strings.Trim(u.EscapedPath(), "/"), u.Fragment
	query := ""
	if u.RawQuery != "" {
		query = "?" + u.RawQuery
	}
	if t.name != "" {
		t.app += query
	} else if i := strings.LastIndexByte(t.app, '/'); i >= 0 {
		t.app, t.name = t.app[:i], t.app[i+1:]+query
	} else {
		t.app += query
	}
	if t.app == "" {
		return target{}, relay.NewRemoteError(relay.ErrInvalidAddress, "the part after the host is missing, such as /live or /app")
	}
	t.tcURL = u.Scheme + "://" + u.Host + "/" + t.app
	return t, nil
}
