package main

// saveRow is a row "saves": how fast many savers at once save to one Redis.
type saveRow struct {
	Savers, Connections int

	Single  float64 // saves/s, with a trip each
	Grouped float64 // saves/s, with saves that share pipelines
	Ratio   float64 // of grouped to single, median of alternated rounds
	Spread  float64 // distance of its quartiles, as a part of it

	SingleBusy  float64 `json:"single_busy"` // how busy Redis' one core was, 0 to 1
	GroupedBusy float64 `json:"grouped_busy"`
}

// memoryRow is a row "memory": the memory store with so many sessions.
type memoryRow struct {
	Sessions int
	Bytes    float64 // of heap, of one session

	Bare       float64 // median of a look-up in a map of as many records
	Load, Save float64 // medians
	LoadP99    float64 `json:"load_p99"`
	SaveP99    float64 `json:"save_p99"`
}

// sweepRow is a row "sweep": the memory store while so many expired sessions
// are freed.
type sweepRow struct {
	Sessions int

	Save    float64 // median, meanwhile
	SaveP99 float64 `json:"save_p99"`
	Longest float64 // step, which is how long a lock was held
}

func (t *tables) saves(rows []saveRow) {
	if len(rows) == 0 {
		return
	}
	t.title("Saves to one Redis, by many at once")
	t.text("20 connections are what go-redis opens on two cores by itself. A save is one script. Grouped, the saves of one node that wait share a pipeline. Redis works on one core;",
		"savers, Redis and its append-only file share the machine.")
	t.head("savers", "connections", "saves/s, a trip each", "Redis' core busy", "saves/s, grouped", "Redis' core busy", "grouped to single", "spread")
	for _, r := range rows {
		t.row(count(float64(r.Savers)), count(float64(r.Connections)), count(r.Single), percent(r.SingleBusy), count(r.Grouped), percent(r.GroupedBusy), ratio(r.Ratio), percent(r.Spread))
	}
}

func (t *tables) memory(rows []memoryRow, sweeps []sweepRow) {
	if len(rows) == 0 {
		return
	}
	t.title("The memory store, by size")
	t.text("Any session of them, so mostly out of the processor's caches. The look-up finds any of as many records in a Go map, and reads one field.")
	t.head("sessions of 5 values", "bytes each", "a bare map look-up", "Load: median", "p99", "Save: median", "p99")
	for _, r := range rows {
		t.row(count(float64(r.Sessions)), count(r.Bytes), micros(r.Bare), micros(r.Load), micros(r.LoadP99), micros(r.Save), micros(r.SaveP99))
	}
	for _, r := range sweeps {
		t.text("While " + count(float64(r.Sessions)) + " expired sessions are freed, a save takes " + micros(r.Save) +
			" (median; p99 " + micros(r.SaveP99) + "); the longest step was " + micros(r.Longest) + ".")
	}
}
