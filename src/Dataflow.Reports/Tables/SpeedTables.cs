namespace Dataflow.Reports;

/// <summary>Peaks and what is projected from them, as tables.</summary>
internal static class SpeedTables
{
    private static readonly ReportColumn[] What =
    [
        new("machine", "machine"),
        new("model", "model"),
        new("system", "system"),
        new("source", "source"),
    ];

    /// <summary>The first columns of a table: what a figure is of.</summary>
    public static object?[] Of(RunFigures f) => [f.Row.Machine, f.Row.Model, f.System, ResultColumns.NameOf(f.Row.Source)];

    /// <summary>A table of peaks.</summary>
    public static ReportTable Peaks(IReadOnlyList<Peak> peaks, bool all) =>
        new(
            "peaks",
            all ? "All configurations" : "Peaks: the best configuration of each machine and model",
            "Rates are of all GPUs of a row together unless they say a GPU. TFLOP/s are model FLOPs: as the file states them a token, by "
                + "the formula (matrices and the causal half of attention, recomputation not counted), or as the file's "
                + "own rate; 6N counts 6 FLOPs a parameter and token and no attention. MFU is against the dense peak. A sample is a "
                + "sequence of the row's length. Worst is the slowest configuration of the group that ran.",
            "No row of these files ran with a speed in tokens.",
            [
                .. What,
                new("gpus", "GPUs"),
                new("nodes", "nodes"),
                new("seq_len", "seqlen"),
                new("host_mem_gb", "host GiB", "0.###"),
                new("dev_mem_gb", "device GiB", "0.###"),
                new("seqs_per_step", "sequences a step"),
                new("tok_per_sec", "tok/s"),
                new("tok_per_sec_per_gpu", "tok/s a GPU"),
                new("tflops", "TFLOP/s", "#,0.0"),
                new("tflops_by", "counted by"),
                new("tflops_per_gpu", "TFLOP/s a GPU", "#,0.0"),
                new("tflops_6n", "TFLOP/s by 6N", "#,0.0"),
                new("mfu", "MFU", "0.0%"),
                new("mfu_6n", "MFU by 6N", "0.0%"),
                new("peak_tflops", "dense peak, TFLOP/s a GPU", "#,0.#"),
                new("tokens_per_day", "tokens a day"),
                new("samples_per_day", "samples a day"),
                new("worst_tok_per_sec", "worst, tok/s"),
                new("best_per_worst", "best / worst", "0.00"),
                new("ran", "ran"),
                new("tried", "of"),
            ],
            [
                .. peaks.Select(p =>
                    (object?[])
                        [
                            .. Of(p.Best),
                            p.Best.Gpus,
                            p.Best.Nodes,
                            p.Best.Row.Seqlen,
                            p.Best.Row.HostGiB,
                            p.Best.Row.DeviceGiB,
                            p.Best.Row.SequencesPerStep,
                            p.Best.TokensPerSecond,
                            p.Best.TokensPerGpu,
                            p.Best.Tflops,
                            NameOf(p.Best.CountedBy),
                            p.Best.TflopsPerGpu,
                            p.Best.SixN,
                            p.Best.Mfu,
                            p.Best.MfuSixN,
                            p.Best.PeakTflops,
                            p.Best.TokensPerDay,
                            p.Best.SamplesPerDay,
                            p.Worst,
                            p.Range,
                            p.Ran,
                            p.Tried,
                        ]
                ),
            ]
        );

    /// <summary>A table of projections.</summary>
    public static ReportTable Scaling(IReadOnlyList<ScalingPoint> points) =>
        new(
            "scaling",
            "Scaling: projections to more nodes",
            "Nothing here was measured on so many nodes: the best configuration times the nodes, as the linear bound that no run exceeds, "
                + "and at efficiencies below it. The source is that of the figure it is projected from.",
            "No peak of these files has fewer nodes than it would be projected to.",
            [
                .. What,
                new("seq_len", "seqlen"),
                new("from_gpus", "from GPUs"),
                new("from_nodes", "from nodes"),
                new("from_tok_per_sec", "from tok/s"),
                new("nodes", "nodes"),
                new("gpus", "GPUs"),
                new("kind", "kind"),
                new("efficiency", "efficiency", "0.##%"),
                new("tok_per_sec", "tok/s"),
            ],
            [
                .. points.Select(p =>
                    (object?[])
                        [
                            .. Of(p.Base),
                            p.Base.Row.Seqlen,
                            p.Base.Gpus,
                            p.Base.Nodes,
                            p.Base.TokensPerSecond,
                            p.Nodes,
                            p.Gpus,
                            p.Kind,
                            p.Efficiency,
                            p.TokensPerSecond,
                        ]
                ),
            ]
        );

    /// <summary>Who counted FLOPs.</summary>
    private static string? NameOf(FlopCount count) => count switch
    {
        FlopCount.Stated => "the file, a token",
        FlopCount.Formula => "formula",
        FlopCount.File => "the file, a rate",
        _ => null,
    };
}
