package studio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/internal/text"
	"obvan/relay"
	"obvan/relay/platform"
)

// DestinationAddArgs is what destination.add takes.
type DestinationAddArgs struct {
	ID         string `json:"id,omitempty"`                                         // default: made from the name
	Name       string `json:"name" example:"Main channel"`                          // what people call it
	URL        string `json:"url" example:"rtmp://a.rtmp.youtube.com/live2"`        // without the key; in WHIP addresses (https://) the path may be one, and is never shown again
	Key        string `json:"key,omitempty" secret:"true" example:"abcd-efgh-ijkl"` // the platform's stream key, or the bearer token of WHIP; never shown again
	BackupURL  string `json:"backupUrl,omitempty"`                                  // tried in turn with url, or see sendToBoth
	SendToBoth bool   `json:"sendToBoth,omitempty"`                                 // send to url and backupUrl at the same time: for platforms whose preset says so
	Platform   string `json:"platform,omitempty" example:"youtube"`                 // a preset's name
	Enabled    *bool  `json:"enabled,omitempty"`                                    // show.live starts it; default: true
	DelayMs    int64  `json:"delayMs,omitempty"`                                    // delay behind the program, at most 60000
	MaxKbps    int    `json:"maxKbps,omitempty"`                                    // frames are dropped above it, on average over seconds; 0: no limit
}

// DestinationAdded is what destination.add answers.
type DestinationAdded struct {
	ID string `json:"id" example:"main-channel"`
}

// DestinationUpdateArgs is what destination.update takes; omitted fields are unchanged.
type DestinationUpdateArgs struct {
	ID         string  `json:"id" example:"main-channel"`
	Name       *string `json:"name,omitempty"`
	URL        *string `json:"url,omitempty"`                                        // secrets written as *** are unchanged; another host needs the key again
	Key        *string `json:"key,omitempty" secret:"true" example:"mnop-qrst-uvwx"` // "" removes it
	BackupURL  *string `json:"backupUrl,omitempty"`
	SendToBoth *bool   `json:"sendToBoth,omitempty"` // on air, only the second connection is started or ended
	Platform   *string `json:"platform,omitempty"`
	Enabled    *bool   `json:"enabled,omitempty"`
	DelayMs    *int64  `json:"delayMs,omitempty"`
	MaxKbps    *int    `json:"maxKbps,omitempty"` // on air, it applies at once
}

// DestinationArgs names a destination.
type DestinationArgs struct {
	ID string `json:"id" example:"main-channel"`
}

func destinationCommands() []Command {
	byID := func(name, doc string, do func(*Studio, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args DestinationArgs) (none, error) {
			return none{}, do(s, ctx, args.ID)
		}, relay.ErrUnknown)
	}
	return []Command{
		command("destination.add", control.Director, "Add a destination. It is not started.",
			func(ctx context.Context, s *Studio, args DestinationAddArgs) (DestinationAdded, error) {
				return s.addDestination(ctx, args)
			}, relay.ErrExists, relay.ErrAddress),
		command("destination.update", control.Director, "Change a destination. One that is on air reconnects when its address, key or delay changed.",
			func(ctx context.Context, s *Studio, args DestinationUpdateArgs) (none, error) {
				return none{}, s.updateDestination(ctx, args)
			}, relay.ErrUnknown, relay.ErrAddress),
		byID("destination.remove", "Stop a destination and delete it and its key.", (*Studio).removeDestination),
		byID("destination.start", "Send the program to a destination.", (*Studio).startDestination),
		byID("destination.stop", "Stop sending to a destination.", (*Studio).stopDestination),
		byID("destination.retry", "Retry a destination now, even one that refused the stream.", (*Studio).retryDestination),
	}
}

const (
	maxKey          = 512
	maxDestinations = 256
	maxKbps         = 1_000_000
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// putDestination hands a destination to the relay. Its errors are the operator's.
func (s *Studio) putDestination(d *showfile.Destination, secret showfile.DestinationSecret) error {
	whole := d.Destination
	whole.URL, whole.BackupURL = secret.URL, secret.BackupURL
	if p, known := platform.Find(d.Platform); known {
		whole.ReconnectWindow = relay.ReconnectWindow{Name: p.Name, Grace: p.Grace}
	}
	return s.deps.Relay.Put(whole, secret.Key)
}

// addDestination adds one; it is not started.
func (s *Studio) addDestination(ctx context.Context, args DestinationAddArgs) (added DestinationAdded, err error) {
	d := showfile.Destination{Destination: relay.Destination{ID: args.ID, Enabled: args.Enabled == nil || *args.Enabled}}
	var secret showfile.DestinationSecret
	update := DestinationUpdateArgs{Name: &args.Name, URL: &args.URL, Key: &args.Key, BackupURL: &args.BackupURL, SendToBoth: &args.SendToBoth, Platform: &args.Platform, DelayMs: &args.DelayMs, MaxKbps: &args.MaxKbps}
	if err := changeDestination(update, &d, &secret); err != nil {
		return added, err
	}
	if args.ID != "" && !idPattern.MatchString(args.ID) {
		return added, control.Invalidf("the id must be 1 to 64 letters, digits, '.', '_' or '-', and start with a letter or digit")
	}
	err = s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		if d.ID == "" {
			d.ID = freeID(k, d.Name)
		}
		if k.Destination(d.ID) >= 0 {
			return fmt.Errorf("destination %s: %w", text.Quote(d.ID), relay.ErrExists)
		}
		if len(k.Destinations) >= maxDestinations {
			return control.Invalidf("there are %d destinations already, which is the maximum", maxDestinations)
		}
		if err := s.putDestination(&d, secret); err != nil {
			return err
		}
		k.Destinations = append(k.Destinations, d)
		sec.Destinations[d.ID] = secret
		return nil
	})
	if err != nil {
		return added, err
	}
	s.logAction(ctx, "added the destination %s", d.Name)
	return DestinationAdded{d.ID}, nil
}

// updateDestination changes one.
func (s *Studio) updateDestination(ctx context.Context, args DestinationUpdateArgs) error {
	var name string
	err := s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		i := k.Destination(args.ID)
		if i < 0 {
			return fmt.Errorf("destination %s: %w", text.Quote(args.ID), relay.ErrUnknown)
		}
		d, secret := k.Destinations[i], sec.Destinations[args.ID]
		if err := changeDestination(args, &d, &secret); err != nil {
			return err
		}
		if err := s.putDestination(&d, secret); err != nil {
			return err
		}
		k.Destinations[i], sec.Destinations[args.ID] = d, secret
		name = d.Name
		return nil
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "changed the destination %s", name)
	return nil
}

// changeDestination puts what args has into d and secret.
func changeDestination(args DestinationUpdateArgs, d *showfile.Destination, secret *showfile.DestinationSecret) (err error) {
	if args.Name != nil {
		if d.Name, err = checkName(*args.Name); err != nil {
			return err
		}
	}
	if args.Key != nil {
		secret.Key = strings.TrimSpace(*args.Key)
		if len(secret.Key) > maxKey || strings.ContainsFunc(secret.Key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return control.Invalidf("the stream key (key) must have no spaces, and at most %d characters", maxKey)
		}
	}
	if err := changeAddresses(args, secret); err != nil {
		return err
	}
	if args.SendToBoth != nil {
		d.SendToBoth = *args.SendToBoth
	}
	if args.Platform != nil {
		if d.Platform = *args.Platform; d.Platform != "" && !idPattern.MatchString(d.Platform) {
			return control.Invalidf("the platform must be the name of a preset, such as youtube")
		}
	}
	if args.Enabled != nil {
		d.Enabled = *args.Enabled
	}
	if args.DelayMs != nil {
		if d.DelayMs = *args.DelayMs; d.DelayMs < 0 || d.DelayMs > relay.MaxDelay.Milliseconds() {
			return control.Invalidf("the delay (delayMs) must be 0 to %d ms", relay.MaxDelay.Milliseconds())
		}
	}
	if args.MaxKbps != nil {
		if d.MaxKbps = *args.MaxKbps; d.MaxKbps != 0 && (d.MaxKbps < relay.MinKbps || d.MaxKbps > maxKbps) {
			return control.Invalidf("the bitrate limit (maxKbps) must be %d to %d kbit/s, or 0 for none", relay.MinKbps, maxKbps)
		}
	}
	d.URL, d.BackupURL, d.HasKey = showfile.DisplayURL(secret.URL), showfile.DisplayURL(secret.BackupURL), secret.Key != ""
	return nil
}

// changeAddresses puts the addresses of args into secret. The key goes with them: one
// that leads to another host needs it again.
func changeAddresses(args DestinationUpdateArgs, secret *showfile.DestinationSecret) (err error) {
	was := *secret
	if args.URL != nil {
		if secret.URL, err = showfile.RestoreSecrets(strings.TrimSpace(*args.URL), was.URL); err != nil {
			return err
		}
		if _, err := parseAddress(secret.URL); err != nil {
			return control.Invalidf("enter a server address (url) like rtmp://server/app")
		}
	}
	if args.BackupURL != nil {
		if secret.BackupURL, err = showfile.RestoreSecrets(strings.TrimSpace(*args.BackupURL), was.BackupURL); err != nil {
			return err
		}
		if _, err := parseAddress(secret.BackupURL); err != nil && secret.BackupURL != "" {
			return control.Invalidf("enter a backup address (backupUrl) like rtmp://server/app")
		}
	}
	if args.Key == nil && was.Key != "" {
		moved := showfile.OtherHost(secret.URL, was.URL) && showfile.OtherHost(secret.URL, was.BackupURL)
		backupMoved := secret.BackupURL != "" && showfile.OtherHost(secret.BackupURL, was.URL) && showfile.OtherHost(secret.BackupURL, was.BackupURL)
		if moved || backupMoved {
			return control.Invalidf("the address has another host or port: enter the stream key again")
		}
	}
	if args.URL != nil {
		secret.URL, secret.Key = showfile.SplitKey(secret.URL, secret.Key)
	}
	return nil
}

// removeDestination stops one and deletes it and its key.
func (s *Studio) removeDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "removed", func(k *showfile.Show, sec *showfile.Secrets, i int) error {
		k.Destinations = slices.Delete(k.Destinations, i, i+1)
		delete(sec.Destinations, id)
		return ignoreUnknown(s.deps.Relay.Remove(id))
	})
}

func (s *Studio) startDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "started", func(k *showfile.Show, _ *showfile.Secrets, i int) error {
		k.Destinations[i].Started = true
		return s.deps.Relay.Start(id)
	})
}

func (s *Studio) stopDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "stopped", func(k *showfile.Show, _ *showfile.Secrets, i int) error {
		k.Destinations[i].Started = false
		return ignoreUnknown(s.deps.Relay.Stop(id))
	})
}

// ignoreUnknown lets a destination that the relay did not accept be stopped and removed: it
// is in the show file.
func ignoreUnknown(err error) error {
	if errors.Is(err, relay.ErrUnknown) {
		return nil
	}
	return err
}

func (s *Studio) retryDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "retried", func(k *showfile.Show, _ *showfile.Secrets, i int) error {
		k.Destinations[i].Started = true
		return s.deps.Relay.Start(id)
	})
}

// withDestination changes one destination, in the show file and in the relay.
func (s *Studio) withDestination(ctx context.Context, id, did string, do func(k *showfile.Show, sec *showfile.Secrets, i int) error) error {
	var name string
	err := s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		i := k.Destination(id)
		if i < 0 {
			return fmt.Errorf("destination %s: %w", text.Quote(id), relay.ErrUnknown)
		}
		name = k.Destinations[i].Name
		return do(k, sec, i)
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "%s the destination %s", did, name)
	return nil
}

// freeID makes an id of a name that no destination has.
func freeID(k *showfile.Show, name string) string {
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
	base = cmp.Or(base[:min(len(base), 40)], "destination")
	id := base
	for n := 2; k.Destination(id) >= 0; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	return id
}
