package showfile

import (
	"net/url"
	"slices"
	"strings"

	"obvan/control"
	"obvan/internal/redact"
	"obvan/relay"
)

// Hidden stands where a secret was, and in an edit means: what it was before.
const Hidden = redact.Hidden

// Shown is an address fit for state and logs: without passwords and query values, and of
// WHIP without path. A plain word ("cut") is its own.
func DisplayURL(raw string) string {
	if !strings.ContainsAny(raw, ":/@?#") {
		return raw
	}
	return relay.RedactURL(raw)
}

// Restore puts the secrets of the address was back where edit says ***. They only go
// to the host they were given for: else whoever may edit an address could have them
// sent to a host of their own.
func RestoreSecrets(edit, was string) (string, error) {
	if !strings.Contains(edit, Hidden) {
		return edit, nil
	}
	if edit == DisplayURL(was) {
		return was, nil
	}
	now, err := url.Parse(edit)
	if err != nil {
		return "", control.Invalidf("this is not an address")
	}
	old, err := url.Parse(was)
	if err != nil || old.Host != now.Host || old.Scheme != now.Scheme {
		return "", control.Invalidf("the address goes to another host: write its password and secrets again instead of %s", Hidden)
	}
	if password, ok := now.User.Password(); ok && password == Hidden {
		if password, ok = old.User.Password(); !ok {
			return "", control.Invalidf("%s stands where nothing was before", Hidden)
		}
		now.User = url.UserPassword(now.User.Username(), password)
	}
	if now.Path == "/"+Hidden && relay.IsWHIP(now.Scheme) {
		now.Path, now.RawPath = old.Path, old.RawPath
	}
	pairs := strings.Split(now.RawQuery, "&")
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); value == Hidden {
			pairs[i] = name + "=" + rawValue(old.RawQuery, name)
		}
	}
	now.RawQuery = strings.Join(pairs, "&")
	if whole := now.String(); !strings.Contains(whole, Hidden) {
		return whole, nil
	}
	return "", control.Invalidf("%s stands where nothing was before", Hidden)
}

// OtherHost reports whether an address goes to another host than was. A secret is not
// sent there because an address was edited: it must be given again.
func OtherHost(now, was string) bool {
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
	return Hidden
}

// secretsOf is what must not be repeated of an address.
func secretsOf(raw string) []string {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	all := relay.PathSecrets(u)
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

// SplitKey splits the key off an address that was pasted whole: rtmp://host/app/key. A
// key left in it would be in everybody's state. An address with only an app has none.
func SplitKey(raw, key string) (address, separate string) {
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

// shortestSecret: a shorter one is more likely a word that only looks like a secret.
const shortestSecret = 6

// Redact takes every secret of the show out of a text, and those of more. Rooms leave
// them out themselves; this is the second lock on the door.
func (f *File) Redact(text string, more ...string) string {
	if text == "" {
		return ""
	}
	all := slices.Clone(more)
	f.Read(func(_ *Show, sec *Secrets) {
		all = append(all, sec.MixerKey, sec.OBSPassword)
		for _, feed := range sec.Feeds {
			all = append(append(all, feed.Key), secretsOf(feed.URL)...)
		}
		for _, d := range sec.Destinations {
			all = append(append(append(all, d.Key), secretsOf(d.URL)...), secretsOf(d.BackupURL)...)
		}
	})
	all = slices.DeleteFunc(all, func(secret string) bool { return len(secret) < shortestSecret })
	return redact.Text(text, all...)
}
