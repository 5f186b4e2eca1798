package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/andreykaipov/goobs/api/opcodes"
	"github.com/andreykaipov/goobs/api/requests"
)

// Params are a request: any Params type of goobs' api/requests.
type Params interface{ GetRequestName() string }

// RefusedError is OBS' answer that it did not carry out a request.
type RefusedError struct {
	Request string
	Code    int
	Comment string
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("OBS refused %s: %s (%d)", e.Request, requests.GetStatusForCode(e.Code), e.Code)
	if e.Comment != "" {
		text += ": " + e.Comment
	}
	return text
}

// Codes of a refusal that callers distinguish.
const (
	CodeUnknownRequest = 204 // this OBS is too old for the request
	CodeNotReady       = 207 // it is switching its scene collection, or quitting
	CodeNotFound       = 600
	CodeExists         = 601
	CodeWrongType      = 602
)

// Refusal is the code of a refusal in err, or 0.
func Refusal(err error) int {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return 0
}

// Call sends a request and decodes its answer into response, which may be nil. A
// RefusedError is OBS' refusal. ErrUnanswered means that it is not known whether the
// request was carried out: the context or the connection ended. A request that was never
// sent fails with ErrClosed or the context's error alone.
func (c *Conn) Call(ctx context.Context, params Params, response any) error {
	name := params.GetRequestName()
	raw, err := c.roundTrip(ctx, func(id string) *opcodes.Message {
		return opcodes.Wrap(&opcodes.Request{Type: name, ID: id, Data: params})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var answer opcodes.RequestResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return decode(name, &answer, response)
}

func decode(name string, answer *opcodes.RequestResponse, response any) error {
	if !answer.Status.Result {
		return &RefusedError{name, answer.Status.Code, answer.Status.Comment}
	}
	if response == nil || len(answer.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.Data, response); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// batch is operation 8.
type batch struct {
	ID       string            `json:"requestId"`
	Pace     Pace              `json:"executionType"`
	Requests []opcodes.Request `json:"requests"`
}

// Pace is how OBS carries out the requests of a batch. There is also a parallel mode,
// which answers with the wrong ids in obs-websocket 5.1.
type Pace int

// AtOnce is one after the other; ByFrame is in step with OBS' frames, so that a Sleep
// between two requests lets frames pass.
const (
	AtOnce  Pace = 0
	ByFrame Pace = 1
)

// Sleep lets frames pass in a batch ByFrame.
type Sleep struct {
	Frames int `json:"sleepFrames"`
}

// GetRequestName makes it Params.
func (Sleep) GetRequestName() string { return "Sleep" }

type batchAnswer struct {
	Results []opcodes.RequestResponse `json:"results"`
}

// Batch makes OBS carry out several requests in order, all of them even if one is refused
// or the connection ends meanwhile. errs are their results.
func (c *Conn) Batch(ctx context.Context, pace Pace, all ...Params) (errs []error, err error) {
	raw, err := c.roundTrip(ctx, func(id string) *opcodes.Message {
		b := batch{ID: id, Pace: pace}
		for _, p := range all {
			b.Requests = append(b.Requests, opcodes.Request{Type: p.GetRequestName(), Data: p})
		}
		d, err := json.Marshal(b)
		if err != nil {
			panic(err) // goobs' params are plain structs
		}
		return &opcodes.Message{Op: opBatch, D: d}
	})
	if err != nil {
		return nil, fmt.Errorf("batch of %s: %w", all[0].GetRequestName(), err)
	}
	var answer batchAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	if len(answer.Results) != len(all) {
		return nil, fmt.Errorf("batch of %d was answered with %d results", len(all), len(answer.Results))
	}
	for i := range answer.Results {
		errs = append(errs, decode(all[i].GetRequestName(), &answer.Results[i], nil))
	}
	return errs, nil
}

// roundTrip sends a message with a new id and waits for the answer to that id.
func (c *Conn) roundTrip(ctx context.Context, message func(id string) *opcodes.Message) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	id, answer, err := c.pending.add()
	if err != nil {
		return nil, err
	}
	defer c.pending.take(id) // an answer that arrives later is dropped
	if err := c.send(ctx, message(id).Bytes()); err != nil {
		return nil, err
	}
	select {
	case raw := <-answer:
		return raw, nil
	case <-c.end.done:
		select { // it may have arrived together with the end
		case raw := <-answer:
			return raw, nil
		default:
		}
		return nil, fmt.Errorf("%w: %w", ErrUnanswered, c.Err())
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnanswered, ctx.Err())
	}
}

// answered delivers an answer to the call that waits for it.
func (c *Conn) answered(raw json.RawMessage) {
	var head struct {
		ID string `json:"requestId"`
	}
	if json.Unmarshal(raw, &head) != nil {
		return
	}
	if answer := c.pending.take(head.ID); answer != nil {
		answer <- raw
	}
}

func (p *pending) add() (id string, answer chan json.RawMessage, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) >= maxPending {
		return "", nil, errors.New("too many requests are waiting for OBS")
	}
	p.last++
	id, answer = strconv.FormatUint(p.last, 10), make(chan json.RawMessage, 1)
	p.all[id] = answer
	return id, answer, nil
}

func (p *pending) take(id string) chan json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := p.all[id]
	delete(p.all, id)
	return answer
}
