package config

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestTheLogsFormats(t *testing.T) {
	var text, object bytes.Buffer
	Log{"text", "stderr"}.Logger(&text).Info("request", "path", "/a b\nlevel=ERROR")
	Log{"json", "stderr"}.Logger(&object).Error("request", "path", "/a b\nlevel=ERROR")
	if strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), `path="/a b\nlevel=ERROR"`) {
		t.Errorf("%q", text.String())
	}
	var line struct{ Level, Msg, Path string }
	if err := json.Unmarshal(object.Bytes(), &line); err != nil || line.Level != "ERROR" ||
		line.Path != "/a b\nlevel=ERROR" {
		t.Errorf("%+v, %v", line, err)
	}
}

func TestErrorsHaveAHandlerOfTheirOwn(t *testing.T) {
	var info, bad bytes.Buffer
	l := Log{Format: "text"}
	h := byLevel{l.handler(&info), l.handler(&bad)}.WithAttrs(nil).WithGroup("g")
	logger := slog.New(h)
	logger.Info("fine")
	logger.Error("wrong")
	if !strings.Contains(info.String(), "fine") || strings.Contains(info.String(), "wrong") ||
		!strings.Contains(bad.String(), "wrong") {
		t.Errorf("%q %q", info.String(), bad.String())
	}
}
