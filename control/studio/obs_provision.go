package studio

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/internal/netaddr"
	"obvan/internal/text"
	"obvan/mixer"
	"obvan/mixer/obs/provision"
)

// Times of setting up OBS. It continues when the caller has disconnected: half a setup
// helps no one.
const (
	obsSetupTimeout = 30 * time.Second
	obsRetryAfter   = 15 * time.Second // after a change that OBS could not be updated with
)

// obsEditor makes changes of OBS, one at a time.
type obsEditor struct {
	editing chan struct{} // held while OBS is changed
	wakeup  chan struct{} // holds one token: OBS may need an update
}

func newOBSEditor() obsEditor {
	return obsEditor{editing: make(chan struct{}, 1), wakeup: make(chan struct{}, 1)}
}

func (u *obsEditor) take(ctx context.Context) error {
	select {
	case u.editing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: OBS is already being set up", mixer.ErrBusy)
	}
}

func (u *obsEditor) leave() { <-u.editing }

// wake asks for a check whether OBS needs an update; it never blocks.
func (u *obsEditor) wake() {
	select {
	case u.wakeup <- struct{}{}:
	default:
	}
}

// collection is the current scene collection of OBS. It fails while OBS is not connected.
func (s *Studio) collection() (name string, err error) {
	if err := s.mixerOffline(); err != nil {
		return "", err
	}
	s.store.Read(func(st *control.State) { name = current(st.Mixer.Collections) })
	return name, nil
}

// provision sets up OBS, or reports what that would do.
func (s *Studio) provision(ctx context.Context, args ProvisionArgs) (Provisioned, error) {
	for _, n := range []int{args.VideoKbps, args.AudioKbps, args.KeyframeSeconds} {
		if n < 0 || n > 1_000_000 {
			return Provisioned{}, control.Invalidf("the arguments videoKbps, audioKbps and keySeconds must be 1 or more")
		}
	}
	obs, err := capability[provision.Caller](s, "OBS setup")
	if err != nil {
		return Provisioned{}, err
	}
	collection, err := s.collection()
	if err != nil {
		return Provisioned{}, err
	}
	if err := s.areas.obs.take(ctx); err != nil {
		return Provisioned{}, err
	}
	defer s.areas.obs.leave()
	next := s.nextOBSSetup(collection, s.adHocFeeds())
	for _, id := range args.Remove {
		if slices.ContainsFunc(next.Feeds, func(f provision.Feed) bool { return f.ID == id && !slices.Contains(next.AdHoc, id) }) {
			return Provisioned{}, control.Invalidf("%s is still a camera of this studio: remove the camera first", text.Quote(id))
		}
		next.Feeds = slices.DeleteFunc(next.Feeds, func(f provision.Feed) bool { return f.ID == id })
	}
	for to, given := range map[*int]int{&next.VideoKbps: args.VideoKbps, &next.AudioKbps: args.AudioKbps, &next.KeySeconds: args.KeyframeSeconds} {
		if given > 0 {
			*to = given
		}
	}
	plan, err := provision.Make(ctx, obs, s.obsTarget(next, args.Remove))
	if err != nil {
		return Provisioned{}, err
	}
	if !args.Preview {
		if err := s.apply(ctx, obs, collection, plan, next); err != nil {
			return Provisioned{}, err
		}
		s.logAction(ctx, "set up OBS: %s", changes(len(plan.Steps)))
	}
	return s.provisioned(plan, !args.Preview), nil
}

// provisioned describes a plan, without the secrets that may be in it.
func (s *Studio) provisioned(plan *provision.Plan, done bool) Provisioned {
	p := Provisioned{Done: done, Steps: []string{}, RemovedFeeds: plan.RemovedFeeds}
	for _, step := range plan.Steps {
		p.Steps = append(p.Steps, s.Redact(step.Text))
	}
	for _, note := range plan.Notes {
		p.Notes = append(p.Notes, s.Redact(note))
	}
	if u, err := url.Parse(s.opts.MixerURL); err == nil && !netaddr.Loopback(u.Host) && netaddr.Loopback(s.opts.OBSPlays) {
		p.Notes = append(p.Notes, "OBS is on another machine and can't play the cameras from "+s.opts.OBSPlays+": start the studio with -play-rtsp :8555.")
	}
	return p
}

func changes(n int) string {
	switch n {
	case 0:
		return "nothing was missing"
	case 1:
		return "one change"
	}
	return fmt.Sprintf("%d changes", n)
}

// apply carries out a plan and stores how OBS is set up now, and how to undo it.
func (s *Studio) apply(ctx context.Context, obs provision.Caller, collection string, plan *provision.Plan, next showfile.OBSSetup) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), obsSetupTimeout)
	defer cancel()
	undo, failed := plan.Apply(ctx, obs)
	next.At, next.Orphans = time.Now().UTC(), plan.RemovedFeeds
	err := s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		if failed == nil {
			k.OBS[collection] = next
		}
		if !undo.Empty() {
			sec.OBSUndo[collection] = sec.OBSUndo[collection].Join(undo)
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// undoProvision undoes the setup in the current scene collection of OBS.
func (s *Studio) undoProvision(ctx context.Context) error {
	obs, err := capability[provision.Caller](s, "OBS setup")
	if err != nil {
		return err
	}
	collection, err := s.collection()
	if err != nil {
		return err
	}
	if err := s.areas.obs.take(ctx); err != nil {
		return err
	}
	defer s.areas.obs.leave()
	var undo *provision.Undo
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) { undo = sec.OBSUndo[collection].Join(nil) })
	if undo.Empty() {
		return fmt.Errorf("%w: this scene collection of OBS has no setup of the studio", control.ErrRefused)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), obsSetupTimeout)
	defer cancel()
	if err := undo.Apply(ctx, obs); err != nil {
		return err
	}
	err = s.edit(ctx, func(k *showfile.Show, sec *showfile.Secrets) error {
		delete(k.OBS, collection)
		delete(sec.OBSUndo, collection)
		return nil
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "undid the OBS setup")
	return nil
}

// followFeedsInOBS updates OBS with cameras that were added or renamed after it was set up,
// until ctx is done. Scenes that the operator deleted stay deleted: only changes are made.
func (s *Studio) followFeedsInOBS(ctx context.Context) {
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	reported := ""
	for {
		select {
		case <-s.areas.obs.wakeup:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		err := s.updateOBS(ctx)
		if err == nil || ctx.Err() != nil {
			reported = ""
			continue
		}
		if text := err.Error(); text != reported { // once for each reason, not for each attempt
			s.logEvent(control.Warn, "OBS could not be updated with the changed cameras: %s.", text)
			reported = text
		}
		again.Reset(obsRetryAfter)
	}
}

// updateOBS brings a setup up to date.
func (s *Studio) updateOBS(ctx context.Context) error {
	obs, err := capability[provision.Caller](s, "")
	if err != nil {
		return nil
	}
	collection, err := s.collection()
	if err != nil {
		return nil // the next connection tries again
	}
	if err := s.areas.obs.take(ctx); err != nil {
		return nil
	}
	defer s.areas.obs.leave()
	var before showfile.OBSSetup
	var done bool
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) { before, done = k.OBS[collection] })
	next := s.nextOBSSetup(collection, nil)
	if !done || before.Same(next) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, obsSetupTimeout)
	defer cancel()
	plan, err := provision.Make(ctx, obs, s.obsTarget(next, nil))
	if err != nil {
		return err
	}
	if err := s.apply(ctx, obs, collection, plan, next); err != nil {
		return err
	}
	if len(plan.Steps) > 0 {
		s.logEvent(control.Info, "OBS was updated with the changed cameras: %s.", changes(len(plan.Steps)))
	}
	return nil
}

// adHocFeeds is the cameras that no operator added and that are live.
func (s *Studio) adHocFeeds() (ids []string) {
	s.store.Read(func(st *control.State) {
		for _, f := range st.Feeds {
			if !f.Added && f.State == control.FeedLive {
				ids = append(ids, f.ID)
			}
		}
	})
	return ids
}

// nextOBSSetup is how OBS should be set up now: for all cameras that were added, for those
// it has already, and for more ad-hoc ones.
func (s *Studio) nextOBSSetup(collection string, more []string) (next showfile.OBSSetup) {
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		next = k.OBS[collection]
		adHoc := slices.Concat(next.AdHoc, more)
		next.Feeds, next.AdHoc = nil, nil
		for _, f := range k.Feeds {
			next.Feeds = append(next.Feeds, provision.Feed{ID: f.ID, Name: f.Name})
		}
		for _, id := range adHoc {
			if !slices.ContainsFunc(next.Feeds, func(f provision.Feed) bool { return f.ID == id }) {
				next.Feeds, next.AdHoc = append(next.Feeds, provision.Feed{ID: id, Name: id}), append(next.AdHoc, id)
			}
		}
	})
	next.Plays, next.Sends = s.opts.OBSPlays, s.opts.OBSSends
	return next
}

// obsTarget is a setup with its secrets. OBS on another machine shows the mixer's key to play
// the cameras.
func (s *Studio) obsTarget(k showfile.OBSSetup, remove []string) provision.Target {
	key := s.MixerKey()
	play := url.URL{Scheme: "rtsp", Host: k.Plays}
	if !netaddr.Loopback(k.Plays) {
		play.User = url.UserPassword("obs", key)
	}
	return provision.Target{
		Feeds: k.Feeds, Remove: remove, Logos: netaddr.Loopback(k.Plays), Play: play.String(), Program: "rtmp://" + k.Sends + "/mixer", Key: key,
		VideoKbps: k.VideoKbps, AudioKbps: k.AudioKbps, KeyframeSeconds: k.KeySeconds,
	}
}

// obsSetup is what panels show of the setup.
func (s *Studio) obsSetup(k *showfile.Show, undo map[string]*provision.Undo) (o control.OBSSetup) {
	_, o.Available = s.deps.Mixer.(provision.Caller)
	if !o.Available {
		return o
	}
	collection := ""
	s.store.Read(func(st *control.State) { collection = current(st.Mixer.Collections) })
	if done, ok := k.OBS[collection]; ok {
		o.Since, o.RemovedFeeds = &done.At, done.Orphans
	}
	o.CanUndo = !undo[collection].Empty()
	return o
}
