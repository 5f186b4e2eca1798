package studio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/showfile"
	"obvan/ingest"
	"obvan/internal/text"
)

// FeedAddArgs is what feed.add takes.
type FeedAddArgs struct {
	ID   string `json:"id" example:"cam1"`                                // what devices publish to; letters, digits, '.', '_' and '-'
	Name string `json:"name" example:"Camera 1"`                          // what people call it
	URL  string `json:"url,omitempty" example:"rtsp://10.0.0.20/stream1"` // where to pull it from; omitted: a device pushes it
	Key  string `json:"key,omitempty" secret:"true"`                      // needed to publish it, from anywhere; default: a new key that is needed only from other machines
}

// FeedAdded is what feed.add answers.
type FeedAdded struct {
	ID  string `json:"id" example:"cam1"`
	Key string `json:"key,omitempty" secret:"true" example:"k3yk3yk3yk3yk3yk3yk3yk"` // the key that was made; feed.key shows it again
}

// FeedUpdateArgs is what feed.update takes; omitted fields are unchanged.
type FeedUpdateArgs struct {
	ID   string  `json:"id" example:"cam1"`
	Name *string `json:"name,omitempty" example:"Goal camera"`
	URL  *string `json:"url,omitempty"`               // "" ends the pull; credentials written as *** are unchanged
	Key  *string `json:"key,omitempty" secret:"true"` // "" makes a new one that is needed only from other machines
}

// FeedArgs names a feed.
type FeedArgs struct {
	ID string `json:"id" example:"cam1"`
}

// FeedKey is what feed.key answers.
type FeedKey struct {
	Key string `json:"key" secret:"true" example:"k3yk3yk3yk3yk3yk3yk3yk"` // "" for a feed that is pulled
}

func feedCommands() []Command {
	return []Command{
		command("feed.add", control.Operator, "Add a camera that pushes to the studio, or one that the studio pulls.",
			func(ctx context.Context, s *Studio, args FeedAddArgs) (FeedAdded, error) { return s.addFeed(ctx, args) },
			control.ErrExists, ingest.ErrBadName, ingest.ErrReserved),
		command("feed.update", control.Operator, "Change a camera's name, address or key.",
			func(ctx context.Context, s *Studio, args FeedUpdateArgs) (FeedAdded, error) {
				return s.updateFeed(ctx, args)
			},
			control.ErrNotFound),
		command("feed.remove", control.Operator, "Remove a camera. One that is publishing stays until it disconnects.",
			func(ctx context.Context, s *Studio, args FeedArgs) (none, error) {
				return none{}, s.removeFeed(ctx, args.ID)
			}, control.ErrNotFound),
		command("feed.key", control.Operator, "Show the key a camera publishes with.",
			func(ctx context.Context, s *Studio, args FeedArgs) (FeedKey, error) { return s.feedKey(ctx, args.ID) },
			control.ErrNotFound),
	}
}

// Bounds of what operators type.
const (
	maxName  = 100 // letters
	maxURL   = 2048
	maxFeeds = 256
)

// addFeed adds a camera.
func (s *Studio) addFeed(ctx context.Context, args FeedAddArgs) (added FeedAdded, err error) {
	if err := ingest.CheckName(args.ID); err != nil {
		return added, fmt.Errorf("add feed %s: %w", text.Quote(args.ID), err)
	}
	if args.Name, err = checkName(args.Name); err != nil {
		return added, err
	}
	secret, err := feedSecretOf(args.URL, args.Key)
	if err != nil {
		return added, err
	}
	err = s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		if k.Feed(args.ID) >= 0 {
			return fmt.Errorf("add feed %s: %w", text.Quote(args.ID), control.ErrExists)
		}
		if len(k.Feeds) >= maxFeeds {
			return control.Invalidf("there are %d feeds already, which is the maximum", maxFeeds)
		}
		if err := s.pull(args.ID, secret.URL); err != nil {
			return err
		}
		k.Feeds = append(k.Feeds, showfile.Feed{ID: args.ID, Name: args.Name, URL: showfile.DisplayURL(args.URL)})
		sec.Feeds[args.ID] = secret
		s.updateMixerFeeds(k)
		return nil
	})
	if err != nil {
		return added, err
	}
	s.areas.obs.wake()
	s.logAction(ctx, "added the camera %s (%s)", args.Name, args.ID)
	added.ID = args.ID
	if !secret.Everywhere {
		added.Key = secret.Key
	}
	return added, nil
}

// feedSecretOf is the secrets of a feed: one that is pushed has a key in any case.
func feedSecretOf(address, key string) (showfile.FeedSecret, error) {
	switch {
	case key != "" && !keyPattern.MatchString(key):
		return showfile.FeedSecret{}, control.Invalidf("the argument key must be 4 to 128 letters, digits and . _ ~ -")
	case address == "" && key == "":
		return showfile.FeedSecret{Key: auth.NewKey()}, nil
	case address == "":
		return showfile.FeedSecret{Key: key, Everywhere: true}, nil
	}
	if _, err := parseAddress(address); err != nil {
		return showfile.FeedSecret{}, err
	}
	return showfile.FeedSecret{URL: address, Key: key, Everywhere: key != ""}, nil
}

var keyPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{4,128}$`)

// updateFeed changes a camera. Its result has the key when a new one was made.
func (s *Studio) updateFeed(ctx context.Context, args FeedUpdateArgs) (changed FeedAdded, err error) {
	var name string
	err = s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		i := k.Feed(args.ID)
		if i < 0 {
			return fmt.Errorf("feed %s: %w", text.Quote(args.ID), control.ErrNotFound)
		}
		f, secret := k.Feeds[i], sec.Feeds[args.ID]
		if args.Name != nil {
			if f.Name, err = checkName(*args.Name); err != nil {
				return err
			}
		}
		if err := changeFeed(args, &f, &secret); err != nil {
			return err
		}
		if changedURL := secret.URL != sec.Feeds[args.ID].URL; changedURL {
			if err := s.pull(args.ID, secret.URL); err != nil {
				return err
			}
		}
		if secret.Key != sec.Feeds[args.ID].Key && !secret.Everywhere {
			changed.Key = secret.Key
		}
		k.Feeds[i], sec.Feeds[args.ID] = f, secret
		name = f.Name
		return nil
	})
	if err != nil {
		return FeedAdded{}, err
	}
	s.areas.obs.wake()
	s.logAction(ctx, "changed the camera %s (%s)", name, args.ID)
	changed.ID = args.ID
	return changed, nil
}

// changeFeed puts the address and the key of args into f and secret.
func changeFeed(args FeedUpdateArgs, f *showfile.Feed, secret *showfile.FeedSecret) error {
	address, key := secret.URL, ""
	if secret.Everywhere {
		key = secret.Key
	}
	made := secret.Key
	if args.URL != nil {
		whole, err := showfile.RestoreSecrets(strings.TrimSpace(*args.URL), secret.URL)
		if err != nil {
			return err
		}
		address = whole
	}
	if args.Key != nil {
		key, made = *args.Key, ""
	}
	next, err := feedSecretOf(address, key)
	if err != nil {
		return err
	}
	if next.Key != "" && !next.Everywhere && made != "" {
		next.Key = made // no other was requested
	}
	*secret, f.URL = next, showfile.DisplayURL(next.URL)
	return nil
}

// removeFeed removes a camera.
func (s *Studio) removeFeed(ctx context.Context, id string) error {
	var name string
	err := s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		i := k.Feed(id)
		if i < 0 {
			return fmt.Errorf("feed %s: %w", text.Quote(id), control.ErrNotFound)
		}
		name = k.Feeds[i].Name
		k.Feeds = slices.Delete(k.Feeds, i, i+1)
		if slices.Contains(k.Backups, id) {
			s.saveBackups(k, slices.DeleteFunc(k.Backups, func(b string) bool { return b == id }))
		}
		delete(sec.Feeds, id)
		s.deps.Pulls.Remove(id)
		s.updateMixerFeeds(k)
		return nil
	})
	if err != nil {
		return err
	}
	s.areas.obs.wake()
	s.logAction(ctx, "removed the camera %s (%s)", name, id)
	return nil
}

// feedKey shows a camera's key. That is logged: someone has it now.
func (s *Studio) feedKey(ctx context.Context, id string) (FeedKey, error) {
	found, name := false, id
	var key string
	s.file.Read(func(k *showfile.Show, sec *showfile.Secrets) {
		if i := k.Feed(id); i >= 0 {
			found, name, key = true, k.Feeds[i].Name, sec.Feeds[id].Key
		}
	})
	if !found {
		return FeedKey{}, fmt.Errorf("feed %s: %w", text.Quote(id), control.ErrNotFound)
	}
	s.logAction(ctx, "looked up the key of %s (%s)", name, id)
	return FeedKey{key}, nil
}

// pull has a feed pulled from an address; an empty one ends the pull.
func (s *Studio) pull(feed, address string) error {
	if address == "" {
		s.deps.Pulls.Remove(feed)
		return nil
	}
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	err = s.deps.Pulls.Put(feed, u)
	if errors.Is(err, ingest.ErrScheme) {
		return control.Invalidf("can't pull from %s:// addresses: enter one that starts with rtsp://, or none, and have the camera send to the studio", u.Scheme)
	}
	if err != nil {
		return control.Invalidf("can't pull from this address: %v", s.Redact(err.Error()))
	}
	return nil
}

// updateMixerFeeds tells the mixer which feeds there are.
func (s *Studio) updateMixerFeeds(k *showfile.Show) {
	m, ok := s.deps.Mixer.(FeedSetter)
	if !ok {
		return
	}
	ids := make([]string, len(k.Feeds))
	for i, f := range k.Feeds {
		ids[i] = f.ID
	}
	m.SetFeeds(ids)
}

// parseAddress reads an address that an operator typed. Its errors do not repeat it: it may
// contain a password.
func parseAddress(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, control.Invalidf("the argument url is too long: %d characters at most", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme == "" {
		return nil, control.Invalidf("the argument url must look like rtsp://host/path")
	}
	return u, nil
}

// checkName checks a name for people: readable, on one line.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) {
		return "", control.Invalidf("the argument name must be 1 to %d characters", maxName)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", control.Invalidf("the argument name must be one line, without control characters")
	}
	return name, nil
}
