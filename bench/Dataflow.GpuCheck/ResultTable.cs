using System.Globalization;
using System.Text;

namespace Dataflow.GpuCheck;

/// <summary>The results as one table.</summary>
internal static class ResultTable
{
    /// <summary>Markdown.</summary>
    public static string Of(string device, IReadOnlyList<KeptResult> results)
    {
        var text = new StringBuilder();
        text.AppendLine($"# {device}");
        text.AppendLine();
        text.AppendLine(
            "Written by `bench/gpu_check.sh`; `gpu_check.json` beside this has the same figures and more. A result holds for the commit "
                + "beside it."
        );
        text.AppendLine();
        text.AppendLine("| stage | case | verdict | what was seen | seconds | commit |");
        text.AppendLine("|---|---|---|---|---:|---|");
        foreach (var r in results)
        {
            text.AppendLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {r.Stage} | {r.Case} | {Word(r.Result.Verdict)} | "
                        + $"{r.Result.Detail.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal)} | {r.Seconds:0.0} | "
                        + $"{r.Commit} |"
                )
            );
        }

        return text.ToString();
    }

    /// <summary>For people.</summary>
    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "passed",
        Verdict.Failed => "FAILED",
        Verdict.Below => "below its mark",
        Verdict.Missing => "missing",
        _ => "out of time",
    };
}
