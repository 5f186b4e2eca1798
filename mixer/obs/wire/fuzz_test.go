package wire

import (
	"encoding/json"
	"testing"

	"github.com/andreykaipov/goobs/api/opcodes"
)

// Whatever a peer sends, the connection neither panics nor stores more than its limits.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`{"op":2,"d":{"negotiatedRpcVersion":1}}`,
		`{"op":5,"d":{"eventType":"SceneCreated","eventIntent":4,"eventData":{"sceneName":"a","isGroup":false}}}`,
		`{"op":5,"d":{"eventType":"InputVolumeMeters","eventData":{"inputs":[{"inputName":"a","inputLevelsMul":[[1,1,1]]}]}}}`,
		`{"op":5,"d":{"eventType":"SceneListChanged","eventData":{"scenes":[null,{"sceneIndex":-1}]}}}`,
		`{"op":7,"d":{"requestType":"GetStats","requestId":"1","requestStatus":{"result":true,"code":100},"responseData":{"cpuUsage":1e999}}}`,
		`{"op":9,"d":{"requestId":"1","results":[{"requestStatus":{}}]}}`,
		`{"op":7,"d":null}`, `{"op":5}`, `[]`, `{"op":"x"}`, `{"op":5,"d":{"eventType":"CurrentProgramSceneChanged","eventData":[]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &Conn{
			meters: make(chan json.RawMessage, 1), identified: make(chan struct{}, 1), pending: pending{all: map[string]chan json.RawMessage{}},
			inbox: inbox{ready: make(chan struct{}, 1)},
		}
		_, waiting, err := c.pending.add()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.receive(raw)
		_ = c.Events()
		select {
		case levels := <-c.meters:
			_, _ = DecodeMeters(levels)
		case answer := <-waiting:
			var r opcodes.RequestResponse
			if json.Unmarshal(answer, &r) == nil {
				var into map[string]any
				_ = decode("x", &r, &into)
			}
		default:
		}
	})
}
