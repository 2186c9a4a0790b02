namespace Dataflow.Reports;

/// <summary>What runs take, and how well batches use machines, as tables.</summary>
internal static class CostTables
{
    /// <summary>A table of costs.</summary>
    public static ReportTable Cost(IReadOnlyList<RunCost> costs, ReportSettings settings) =>
        new(
            "cost",
            $"Cost of a run of {Length(settings.Length)}{(settings.GlobalBatch is { } batch ? $" at global batch {batch:N0}" : "")}",
            "By length of a sequence, each at its fastest configuration. The global batch is in sequences a step; where none was asked "
                + "for it is the row's. GPUs are those that hold the batch at once where the file says how many sequences "
                + "its GPUs hold, and the row's speed is taken to be that of all of them; else they are the row's. Node-hours are of rows "
                + "that say on how many nodes they ran.",
            $"No cost follows from these files: a row needs a speed and a batch (seqs_per_step, or "
                + $"--global-batch){(settings.Length is RunLength.Tokens ? " and, for a budget of tokens, a seq_len" : "")}.",
            [
                new("machine", "machine"),
                new("model", "model"),
                new("system", "system"),
                new("source", "source"),
                new("row_gpus", "GPUs of the row"),
                new("row_nodes", "its nodes"),
                new("seq_len", "seqlen"),
                new("global_batch", "global batch"),
                new("steps", "steps"),
                new("tokens", "tokens"),
                new("gpus", "GPUs needed"),
                new("nodes", "nodes"),
                new("hours", "hours", "#,0.0"),
                new("gpu_hours", "GPU-hours", "#,0.0"),
                new("node_hours", "node-hours", "#,0.0"),
                new("price", settings.Price is { } price ? $"price at {price:0.00} a GPU-hour" : "price", "#,0.00"),
            ],
            [
                .. costs.Select(c =>
                    (object?[])
                        [
                            c.Row.Machine,
                            c.Row.Model,
                            c.System,
                            ResultColumns.NameOf(c.Row.Source),
                            c.Row.Gpus,
                            c.Row.Nodes,
                            c.Row.Seqlen,
                            c.GlobalBatch,
                            c.Steps,
                            c.Row.Seqlen is { } s ? (double)c.Steps * c.GlobalBatch * s : null,
                            c.Gpus,
                            c.Nodes,
                            c.Hours,
                            c.GpuHours,
                            c.NodeHours,
                            c.TotalPrice,
                        ]
                ),
            ]
        );

    /// <summary>A table of cells by batch and length.</summary>
    public static ReportTable Utilization(IReadOnlyList<UtilizationCell> cells) =>
        new(
            "utilization",
            "Utilization over batch and length",
            "The fastest configuration of each batch (sequences a step) and length; latency is of a step. Cells in which nothing ran say "
                + "so: they did not fit unless the reason is another.",
            "No row of these files says its length (seq_len).",
            [
                new("machine", "machine"),
                new("model", "model"),
                new("system", "system"),
                new("source", "source"),
                new("gpus", "GPUs"),
                new("nodes", "nodes"),
                new("seq_len", "seqlen"),
                new("seqs_per_step", "batch"),
                new("state", "state"),
                new("mfu", "MFU", "0.0%"),
                new("tok_per_sec", "tok/s"),
                new("latency_s", "latency, s", "#,0.000"),
                new("reason", "reason"),
            ],
            [
                .. cells.Select(c =>
                    (object?[])
                        [
                            c.Machine,
                            c.Model,
                            c.System,
                            ResultColumns.NameOf(c.Source),
                            c.Gpus,
                            c.Nodes,
                            c.Seqlen,
                            c.Batch,
                            c.Figures is not null ? "ran"
                            : c.Reason?.StartsWith("failed", StringComparison.Ordinal) == true ? "failed"
                            : "did not fit",
                            c.Figures?.Mfu,
                            c.Figures?.TokensPerSecond,
                            c.LatencySeconds,
                            c.Figures is null ? c.Reason : null,
                        ]
                ),
            ]
        );

    private static string Length(RunLength length) => length switch
    {
        RunLength.Steps s => $"{s.Count:N0} steps",
        RunLength.Tokens t => $"{t.Count:N0} tokens",
        RunLength.Samples s => $"{s.Count:N0} samples",
        _ => throw new ArgumentOutOfRangeException(nameof(length), length, "no length"),
    };
}
