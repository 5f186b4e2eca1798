package rtsp

import (
	"net"
	"net/url"
	"strings"

	"obvan/relay"
)

// target is where to send to.
type target struct {
	addr    string // host:port
	host    string // for the certificate
	secure  bool
	url     string // what requests name, with user name and password
	secrets []string
}

// CheckAddress is relay.Output's.
func CheckAddress(u *url.URL) error {
	_, err := parse(u)
	return err
}

// parse splits an address and puts the key where it belongs. Nothing is decoded: servers
// compare byte by byte.
func parse(u *url.URL) (target, error) {
	t := target{host: u.Hostname(), secure: u.Scheme == "rtsps", secrets: relay.Secrets(u)}
	port := u.Port()
	if port == "" {
		port = "554"
		if t.secure {
			port = "322"
		}
	}
	t.addr = net.JoinHostPort(t.host, port)
	where := strings.TrimRight(u.EscapedPath(), "/")
	if u.RawQuery != "" || u.ForceQuery {
		where += "?" + u.RawQuery
	}
	switch key := u.Fragment; {
	case key == "":
	case strings.HasSuffix(where, "="):
		where += key
	case strings.Contains(where, "?"):
		return t, relay.NewRemoteError(relay.ErrInvalidAddress, "it has a query: end it with the key's parameter name, as in ?key=")
	default:
		where += "/" + key
	}
	if where == "" {
		return t, relay.NewRemoteError(relay.ErrInvalidAddress, "the part after the host is missing, such as /live/name")
	}
	user := ""
	if u.User != nil {
		user = u.User.String() + "@"
	}
	// gortsplib would send SRTP with rtsps, which few servers support: TLS is put below it.
	t.url = "rtsp://" + user + t.addr + where
	return t, nil
}
