package control

// Description is a command of the table, as GET /api/v1/commands lists it.
type Description struct {
	Name string     `json:"name"`
	Role Role       `json:"role"`
	Doc  string     `json:"doc"`
	Args []Argument `json:"args"`
}

// Argument is an argument of a command.
type Argument struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // in plain words, such as "a whole number"
	Required bool   `json:"required"`
}
