namespace Dataflow.Reports;

/// <summary>Machines and systems beside each other, as tables.</summary>
internal static class ComparisonTables
{
    /// <summary>A table of machines.</summary>
    public static ReportTable Machines(IReadOnlyList<MachineComparison> rows) =>
        new(
            "machines",
            "Machines on the same work",
            "Each machine and system at its best configuration of a model and length, by tokens a second and GPU; budgets differ. Works "
                + "that one machine alone has done are left out.",
            "No model at one length was run by two machines or systems of these files.",
            [
                new("model", "model"),
                new("seq_len", "seqlen"),
                new("machine", "machine"),
                new("system", "system"),
                new("source", "source"),
                new("gpus", "GPUs"),
                new("host_mem_gb", "host GiB", "0.###"),
                new("dev_mem_gb", "device GiB", "0.###"),
                new("tok_per_sec_per_gpu", "tok/s a GPU"),
                new("of_best", "of the best", "0.0%"),
                new("mfu", "MFU", "0.0%"),
            ],
            [
                .. rows.Select(r =>
                    (object?[])
                        [
                            r.Figures.Row.Model,
                            r.Figures.Row.Seqlen,
                            r.Figures.Row.Machine,
                            r.Figures.System,
                            ResultColumns.NameOf(r.Figures.Row.Source),
                            r.Figures.Gpus,
                            r.Figures.Row.HostGiB,
                            r.Figures.Row.DeviceGiB,
                            r.Figures.TokensPerGpu,
                            r.OfBest,
                            r.Figures.Mfu,
                        ]
                ),
            ]
        );

    /// <summary>A table of systems.</summary>
    public static ReportTable Systems(IReadOnlyList<SystemComparison> rows) =>
        new(
            "systems",
            "Systems in the same cells",
            "Cells are alike in machine, model, length and both budgets. A ratio is the speed of the system over that of the one it is "
                + "held against, each with its source: above 1 it is faster.",
            "No two systems of these files have a cell in common.",
            [
                new("machine", "machine"),
                new("model", "model"),
                new("seq_len", "seqlen"),
                new("system", "system"),
                new("source", "source"),
                new("against", "against"),
                new("against_source", "its source"),
                new("cells", "cells in which both ran"),
                new("median", "median ratio", "0.000"),
                new("least", "least", "0.000"),
                new("most", "most", "0.000"),
                new("only_this", "it alone ran"),
                new("only_other", "the other alone ran"),
            ],
            [
                .. rows.Select(r =>
                    (object?[])
                        [
                            r.Machine,
                            r.Model,
                            r.Seqlen,
                            r.System.Name,
                            ResultColumns.NameOf(r.System.Source),
                            r.Against.Name,
                            ResultColumns.NameOf(r.Against.Source),
                            r.Ratios.Length,
                            r.Median,
                            r.Ratios.Length > 0 ? r.Ratios[0] : null,
                            r.Ratios.Length > 0 ? r.Ratios[^1] : null,
                            r.OnlyThis,
                            r.OnlyOther,
                        ]
                ),
            ]
        );
}
