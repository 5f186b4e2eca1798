package control

import (
	"net/url"
	"strings"

	"obvan/relay"
)

// hidden stands where a secret was, and in an edit means: what it was before.
const hidden = "***"

// shown is an address fit for state and logs: without passwords and query values, and of
// WHIP without path. A plain word ("cut") is its own.
func shown(raw string) string {
	if !strings.ContainsAny(raw, ":/@?#") {
		return raw
	}
	return relay.RedactURL(raw)
}

// restore puts the secrets of the address was back where edit says ***. They only go
// to the host they were given for: else whoever may edit an address could have them
// sent to a host of their own.
func restore(edit, was string) (string, error) {
	if !strings.Contains(edit, hidden) {
		return edit, nil
	}
	if edit == shown(was) {
		return was, nil
	}
	now, err := url.Parse(edit)
	if err != nil {
		return "", badf("this is not an address")
	}
	old, err := url.Parse(was)
	if err != nil || old.Host != now.Host || old.Scheme != now.Scheme {
		return "", badf("the address goes to another host: write its password and secrets again instead of %s", hidden)
	}
	if password, ok := now.User.Password(); ok && password == hidden {
		if password, ok = old.User.Password(); !ok {
			return "", badf("%s stands where nothing was before", hidden)
		}
		now.User = url.UserPassword(now.User.Username(), password)
	}
	if now.Path == "/"+hidden && relay.OverHTTP(now.Scheme) {
		now.Path, now.RawPath = old.Path, old.RawPath
	}
	pairs := strings.Split(now.RawQuery, "&")
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); value == hidden {
			pairs[i] = name + "=" + rawValue(old.RawQuery, name)
		}
	}
	now.RawQuery = strings.Join(pairs, "&")
	if whole := now.String(); !strings.Contains(whole, hidden) {
		return whole, nil
	}
	return "", badf("%s stands where nothing was before", hidden)
}

// elsewhere reports whether an address goes to another host than was. A secret is not
// sent there because an address was edited: it must be given again.
func elsewhere(now, was string) bool {
	a, errA := url.Parse(now)
	b, errB := url.Parse(was)
	return errA != nil || errB != nil || a.Host != b.Host
}

func rawValue(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if n, value, ok := strings.Cut(pair, "="); ok && n == name {
			return value
		}
	}
	return hidden
}

// secretsOf is what must not be repeated of an address.
func secretsOf(raw string) []string {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	all := relay.InPath(u)
	if password, ok := u.User.Password(); ok {
		all = append(all, password)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if _, value, ok := strings.Cut(pair, "="); ok {
			all = append(all, value)
		}
	}
	return all
}

// apart splits the key off an address that was pasted whole: rtmp://host/app/key. A
// key left in it would be in everybody's state. An address with only an app has none.
func apart(raw, key string) (address, separate string) {
	u, err := url.Parse(raw)
	if err != nil || key != "" {
		return raw, key
	}
	if u.Scheme != "rtmp" && u.Scheme != "rtmps" {
		return raw, key
	}
	_, rest, _ := strings.Cut(raw, "://")
	authority, path, _ := strings.Cut(rest, "/")
	path, query, asked := strings.Cut(path, "?")
	app, name, ok := cutLast(strings.TrimRight(path, "/"))
	if !ok {
		return raw, key
	}
	if asked {
		name += "?" + query
	}
	return u.Scheme + "://" + authority + "/" + app, name
}

func cutLast(path string) (before, after string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 || i == len(path)-1 {
		return path, "", false
	}
	return path[:i], path[i+1:], true
}
