package showfile

import (
	"net/url"
	"slices"
	"strings"

	"obvan/control"
	"obvan/internal/redact"
	"obvan/relay"
)

// Hidden stands in place of a secret, and in an edit means: unchanged.
const Hidden = redact.Hidden

// DisplayURL is an address fit for state and logs: without passwords and query values, and
// for WHIP without path. A plain word ("cut") stays as it is.
func DisplayURL(raw string) string {
	if !strings.ContainsAny(raw, ":/@?#") {
		return raw
	}
	return relay.RedactURL(raw)
}

// RestoreSecrets puts the secrets of the address was back where edit has ***. They only go to
// the host they were entered for: else whoever may edit an address could have them sent to
// a host of their own.
func RestoreSecrets(edit, was string) (string, error) {
	if !strings.Contains(edit, Hidden) {
		return edit, nil
	}
	if edit == DisplayURL(was) {
		return was, nil
	}
	now, err := url.Parse(edit)
	if err != nil {
		return "", control.Invalidf("invalid address")
	}
	old, err := url.Parse(was)
	if err != nil || old.Host != now.Host || old.Scheme != now.Scheme {
		return "", control.Invalidf("the address has another scheme, host or port: enter its password and secrets again instead of %s", Hidden)
	}
	if password, ok := now.User.Password(); ok && password == Hidden {
		if password, ok = old.User.Password(); !ok {
			return "", control.Invalidf("%s is used where no secret was saved", Hidden)
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
	return "", control.Invalidf("%s is used where no secret was saved", Hidden)
}

// OtherHost reports whether an address has another host than was. A secret is not sent there
// because an address was edited: it must be entered again.
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

// SplitKey splits the key off an address that was pasted whole: rtmp://host/app/key. A key
// left in it would be in the state, for everyone. An address with only an app has none.
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

// Redact takes every secret of the show out of a text, and those of more. Other rooms leave
// secrets out themselves; this is the second safeguard.
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
