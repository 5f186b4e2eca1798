package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Role is what a client may do. Each role may do all that the ones below it may.
type Role int

// The roles, least first.
const (
	Viewer   Role = iota // sees everything, changes nothing
	Operator             // cuts, and manages cameras
	Director             // goes live, and manages destinations
	Admin                // manages access
)

var roleNames = []string{"viewer", "operator", "director", "admin"}

// Roles is the names of the roles, least first.
func Roles() []string { return slices.Clone(roleNames) }

// String is the role's name in the protocol.
func (r Role) String() string {
	if r < Viewer || r > Admin {
		return fmt.Sprintf("role %d", int(r))
	}
	return roleNames[r]
}

// MarshalJSON writes the role's name.
func (r Role) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON reads the role's name.
func (r *Role) UnmarshalJSON(b []byte) error {
	var name string
	if err := json.Unmarshal(b, &name); err != nil {
		return err
	}
	found, err := ParseRole(name)
	if err != nil {
		return err
	}
	*r = found
	return nil
}

// ParseRole is the role with a name.
func ParseRole(name string) (Role, error) {
	if i := slices.Index(roleNames, name); i >= 0 {
		return Role(i), nil
	}
	return Viewer, Invalidf("role must be one of %s", strings.Join(roleNames, ", "))
}
