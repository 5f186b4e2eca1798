package control

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"obvan/relay"
	"obvan/relay/platform"
)

const (
	longestKey       = 512
	mostDestinations = 256
	mostKbps         = 1_000_000
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// put hands a destination to the relay. Its errors are the operator's.
func (s *Studio) put(d *keptDestination, secret destinationSecret) error {
	whole := d.Destination
	whole.URL, whole.BackupURL = secret.URL, secret.BackupURL
	if p, known := platform.Find(d.Platform); known {
		whole.ReconnectWindow = relay.ReconnectWindow{Name: p.Name, Grace: p.Grace}
	}
	return s.rooms.Relay.Put(whole, secret.Key)
}

// addDestination adds one; it is not started.
func (s *Studio) addDestination(ctx context.Context, args DestinationAddArgs) (added DestinationAdded, err error) {
	d := keptDestination{Destination: relay.Destination{ID: args.ID, Enabled: args.Enabled == nil || *args.Enabled}}
	var secret destinationSecret
	update := DestinationUpdateArgs{Name: &args.Name, URL: &args.URL, Key: &args.Key, BackupURL: &args.BackupURL, SendToBoth: &args.SendToBoth, Platform: &args.Platform, DelayMs: &args.DelayMs, MaxKbps: &args.MaxKbps}
	if err := changeDestination(update, &d, &secret); err != nil {
		return added, err
	}
	if args.ID != "" && !idPattern.MatchString(args.ID) {
		return added, badf("the id must be 1 to 64 letters, digits, '.', '_' or '-', and start with a letter or digit")
	}
	err = s.edit(ctx, func(k *kept, sec *secrets) error {
		if d.ID == "" {
			d.ID = freeID(k, d.Name)
		}
		if k.destination(d.ID) >= 0 {
			return fmt.Errorf("destination %s: %w", quote(d.ID), relay.ErrExists)
		}
		if len(k.Destinations) >= mostDestinations {
			return badf("there are %d destinations already: that is all this studio takes", mostDestinations)
		}
		if err := s.put(&d, secret); err != nil {
			return err
		}
		k.Destinations = append(k.Destinations, d)
		sec.Destinations[d.ID] = secret
		return nil
	})
	if err != nil {
		return added, err
	}
	s.did(ctx, "added the destination %s", d.Name)
	return DestinationAdded{d.ID}, nil
}

// updateDestination changes one.
func (s *Studio) updateDestination(ctx context.Context, args DestinationUpdateArgs) error {
	var name string
	err := s.edit(ctx, func(k *kept, sec *secrets) error {
		i := k.destination(args.ID)
		if i < 0 {
			return fmt.Errorf("destination %s: %w", quote(args.ID), relay.ErrUnknown)
		}
		d, secret := k.Destinations[i], sec.Destinations[args.ID]
		if err := changeDestination(args, &d, &secret); err != nil {
			return err
		}
		if err := s.put(&d, secret); err != nil {
			return err
		}
		k.Destinations[i], sec.Destinations[args.ID] = d, secret
		name = d.Name
		return nil
	})
	if err != nil {
		return err
	}
	s.did(ctx, "changed the destination %s", name)
	return nil
}

// changeDestination puts what args has into d and secret.
func changeDestination(args DestinationUpdateArgs, d *keptDestination, secret *destinationSecret) (err error) {
	if args.Name != nil {
		if d.Name, err = title(*args.Name); err != nil {
			return err
		}
	}
	if args.Key != nil {
		secret.Key = strings.TrimSpace(*args.Key)
		if len(secret.Key) > longestKey || strings.ContainsFunc(secret.Key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return badf("the stream key (key) must have no spaces, and at most %d characters", longestKey)
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
			return badf("the platform must be the name of a preset, such as youtube")
		}
	}
	if args.Enabled != nil {
		d.Enabled = *args.Enabled
	}
	if args.DelayMs != nil {
		if d.DelayMs = *args.DelayMs; d.DelayMs < 0 || d.DelayMs > relay.MaxDelay.Milliseconds() {
			return badf("the delay (delayMs) must be 0 to %d ms", relay.MaxDelay.Milliseconds())
		}
	}
	if args.MaxKbps != nil {
		if d.MaxKbps = *args.MaxKbps; d.MaxKbps != 0 && (d.MaxKbps < relay.LeastKbps || d.MaxKbps > mostKbps) {
			return badf("the limit (maxKbps) must be %d to %d kbit/s, or 0 for none", relay.LeastKbps, mostKbps)
		}
	}
	d.URL, d.BackupURL, d.HasKey = shown(secret.URL), shown(secret.BackupURL), secret.Key != ""
	return nil
}

// changeAddresses puts the addresses of args into secret. The key goes with them: one
// that leads to another host needs it again.
func changeAddresses(args DestinationUpdateArgs, secret *destinationSecret) (err error) {
	was := *secret
	if args.URL != nil {
		if secret.URL, err = restore(strings.TrimSpace(*args.URL), was.URL); err != nil {
			return err
		}
		if _, err := addressOf(secret.URL); err != nil {
			return badf("the server address (url) must look like rtmp://server/app")
		}
	}
	if args.BackupURL != nil {
		if secret.BackupURL, err = restore(strings.TrimSpace(*args.BackupURL), was.BackupURL); err != nil {
			return err
		}
		if _, err := addressOf(secret.BackupURL); err != nil && secret.BackupURL != "" {
			return badf("the backup address (backupUrl) must look like rtmp://server/app")
		}
	}
	if args.Key == nil && was.Key != "" {
		moved := elsewhere(secret.URL, was.URL) && elsewhere(secret.URL, was.BackupURL)
		backupMoved := secret.BackupURL != "" && elsewhere(secret.BackupURL, was.URL) && elsewhere(secret.BackupURL, was.BackupURL)
		if moved || backupMoved {
			return badf("the address goes to another host: give the stream key again")
		}
	}
	if args.URL != nil {
		secret.URL, secret.Key = apart(secret.URL, secret.Key)
	}
	return nil
}

// removeDestination stops one and forgets it and its key.
func (s *Studio) removeDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "removed", func(k *kept, sec *secrets, i int) error {
		k.Destinations = slices.Delete(k.Destinations, i, i+1)
		delete(sec.Destinations, id)
		return gone(s.rooms.Relay.Remove(id))
	})
}

func (s *Studio) startDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "started", func(k *kept, _ *secrets, i int) error {
		k.Destinations[i].Started = true
		return s.rooms.Relay.Start(id)
	})
}

func (s *Studio) stopDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "stopped", func(k *kept, _ *secrets, i int) error {
		k.Destinations[i].Started = false
		return gone(s.rooms.Relay.Stop(id))
	})
}

// gone lets what the relay never took be stopped and removed: it is in the book.
func gone(err error) error {
	if errors.Is(err, relay.ErrUnknown) {
		return nil
	}
	return err
}

func (s *Studio) retryDestination(ctx context.Context, id string) error {
	return s.withDestination(ctx, id, "retried", func(k *kept, _ *secrets, i int) error {
		k.Destinations[i].Started = true
		return s.rooms.Relay.Start(id)
	})
}

// withDestination does something to one destination, in the book and in the relay.
func (s *Studio) withDestination(ctx context.Context, id, did string, do func(k *kept, sec *secrets, i int) error) error {
	var name string
	err := s.edit(ctx, func(k *kept, sec *secrets) error {
		i := k.destination(id)
		if i < 0 {
			return fmt.Errorf("destination %s: %w", quote(id), relay.ErrUnknown)
		}
		name = k.Destinations[i].Name
		return do(k, sec, i)
	})
	if err != nil {
		return err
	}
	s.did(ctx, "%s the destination %s", did, name)
	return nil
}

// freeID makes an id of a name that no destination has.
func freeID(k *kept, name string) string {
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
	base = or(base[:min(len(base), 40)], "destination")
	id := base
	for n := 2; k.destination(id) >= 0; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	return id
}
