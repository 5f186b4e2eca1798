package whip

import (
	"net/http"
	"strings"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

const (
	maxServers = 8
	maxLink    = 2 << 10 // bytes; Twitch's and Cloudflare's have a few hundred
)

// iceServers is the STUN and TURN servers that an endpoint's answer names in its Link
// headers (RFC 9725, 4.6). Invalid ones are ignored.
func iceServers(h http.Header) (all []webrtc.ICEServer) {
	for _, line := range h.Values("Link") {
		if len(line) > maxLink {
			continue
		}
		for rest := line; rest != "" && len(all) < maxServers; {
			var link map[string]string
			if link, rest = nextLink(rest); link["rel"] != "ice-server" {
				continue
			}
			if _, err := stun.ParseURI(link[""]); err != nil {
				continue
			}
			server := webrtc.ICEServer{URLs: []string{link[""]}, Username: link["username"]}
			if secret := link["credential"]; secret != "" {
				server.Credential = secret
			}
			if strings.HasPrefix(link[""], "turn") && (server.Username == "" || server.Credential == nil) {
				continue
			}
			all = append(all, server)
		}
	}
	return all
}

// nextLink parses the first of a header's links: its parameters by name, and its target
// under "" (RFC 8288, 3).
func nextLink(s string) (link map[string]string, rest string) {
	link = map[string]string{}
	_, s, _ = strings.Cut(s, "<")
	link[""], s, _ = strings.Cut(s, ">")
	for {
		s = strings.TrimLeft(s, " \t")
		if !strings.HasPrefix(s, ";") {
			break
		}
		var name, value string
		s = strings.TrimLeft(s[1:], " \t")
		end := strings.IndexAny(s, "=;,")
		if end < 0 {
			return link, ""
		}
		if name = strings.ToLower(strings.TrimRight(s[:end], " \t")); s[end] == '=' {
			value, s = linkValue(strings.TrimLeft(s[end+1:], " \t"))
		} else {
			s = s[end:]
		}
		if _, seen := link[name]; !seen {
			link[name] = value
		}
	}
	return link, s
}

// linkValue is a token, or a string in quotation marks (RFC 9110, 5.6.4).
func linkValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		if end := strings.IndexAny(s, ";, \t"); end >= 0 {
			return s[:end], s[end:]
		}
		return s, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
