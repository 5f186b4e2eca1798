package provision

import "encoding/json"

// keptRequest is a request that outlives the process: Request's own JSON is what goes
// to OBS.
type storedRequest struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// MarshalJSON makes an undo fit to be kept. It holds secrets.
func (u *Undo) MarshalJSON() ([]byte, error) {
	all := make([]storedRequest, len(u.requests))
	for i, r := range u.requests {
		all[i] = storedRequest(r)
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads an undo that was kept.
func (u *Undo) UnmarshalJSON(b []byte) error {
	var all []storedRequest
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	u.requests = nil
	for _, r := range all {
		u.requests = append(u.requests, Request(r))
	}
	return nil
}

// Join is an undo that takes back what later did, then what u did. Both stay as they
// are; either may be nil.
func (u *Undo) Join(later *Undo) *Undo {
	all := &Undo{}
	for _, each := range []*Undo{u, later} {
		if each != nil {
			all.requests = append(all.requests, each.requests...)
		}
	}
	return all
}
