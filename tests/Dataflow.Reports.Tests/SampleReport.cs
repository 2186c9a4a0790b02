namespace Dataflow.Reports.Tests;

/// <summary>A report whose figures follow from batches and lengths, so that tests know each cell's.</summary>
internal static class SampleReport
{
    public const string OddName = "</script><img src=x>|A";
    public static readonly long[] Batches = [1, 2, 4];
    public static readonly long[] Lengths = [1024, 2048, 4096];

    /// <summary>More than 8,192 tokens a step run out of memory.</summary>
    public static bool Fits(long batch, long seqlen) => batch * seqlen <= 8192;

    /// <summary>tok/s.</summary>
    public static double Tokens(long batch, long seqlen) => 1000 + (100 * batch) + (seqlen / 16.0);

    /// <summary>Of a machine with a peak of 100 TFLOP/s and a model of 20 GFLOP a token.</summary>
    public static double Mfu(long batch, long seqlen) => Tokens(batch, seqlen) * 20 / 1e3 / 100;

    /// <summary>X measured, and the oddly named one simulated, with the model m; X also with the model n, once.</summary>
    public static Report Make(string odd = OddName) =>
        Report.Of(
            [
                new ResultFile(
                    "runs/<measured>.csv",
                    ResultFormat.Generic,
                    [.. Rows("X", ResultSource.Measured, 1), One("X", "n", 4096, 1) with { TokensPerSecond = 90 }],
                    StatesSource: false
                ),
                new ResultFile("simulated.csv", ResultFormat.Generic, [.. Rows(odd, ResultSource.Simulated, 0.5)], StatesSource: true)
                {
                    Superseded = [new ResultRow { Line = 7 }],
                },
            ],
            ReportFacts.None,
            ReportSettings.Default with
            {
                Price = 2,
            }
        );

    /// <summary>A report on one row.</summary>
    public static Report Of(ResultRow row) =>
        Report.Of([new ResultFile("one.csv", ResultFormat.Generic, [row], StatesSource: true)], ReportFacts.None, ReportSettings.Default);

    private static IEnumerable<ResultRow> Rows(string machine, ResultSource source, double factor) =>
        from batch in Batches
        from seqlen in Lengths
        let row = One(machine, "m", seqlen, batch) with
        {
            Source = source,
            Policy = source == ResultSource.Simulated ? "auto" : null,
        }
        select Fits(batch, seqlen)
            ? row with
            {
                TokensPerSecond = Tokens(batch, seqlen) * factor,
            }
            : row with
            {
                Feasible = false,
                Reason = "CUDA out of <memory>",
            };

    private static ResultRow One(string machine, string model, long seqlen, long batch) =>
        new()
        {
            Machine = machine,
            Model = model,
            Seqlen = seqlen,
            SequencesPerStep = batch,
            Source = ResultSource.Measured,
            PeakTflops = 100,
            GflopPerToken = 20,
            Gpus = 1,
            Nodes = 1,
        };
}
