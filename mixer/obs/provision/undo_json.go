package provision

import "encoding/json"

// storedRequest is a request as it is stored: Request's own JSON is what is sent to OBS.
type storedRequest struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// MarshalJSON is an undo in the form that is stored. It contains secrets.
func (u *Undo) MarshalJSON() ([]byte, error) {
	all := make([]storedRequest, len(u.requests))
	for i, r := range u.requests {
		all[i] = storedRequest(r)
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads an undo that was stored.
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

// Join is an undo that reverts what later did, then what u did. Neither is changed;
// either may be nil.
func (u *Undo) Join(later *Undo) *Undo {
	all := &Undo{}
	for _, each := range []*Undo{u, later} {
		if each != nil {
			all.requests = append(all.requests, each.requests...)
		}
	}
	return all
}
