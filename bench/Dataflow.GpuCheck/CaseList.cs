using System.Globalization;
using System.Text;

namespace Dataflow.GpuCheck;

/// <summary>
/// Which cases a call runs, in their order, each with its clock: when it is expected to begin, what it takes, and what it may.
/// </summary>
internal static class CaseList
{
    /// <summary>A line a case; what no longer fits the call says so.</summary>
    public static string Text(IReadOnlyList<CheckCase> cases, CheckSettings settings)
    {
        var text = new StringBuilder();
        var at = TimeSpan.Zero;
        double pace = settings.Clock ?? 1;
        var spent = new Dictionary<string, TimeSpan>();
        foreach (var next in cases)
        {
            var (expected, most) = (next.Stage.ExpectedOf(next.Name) * pace, next.Stage.LimitOf(next.Name) * pace);
            var (share, used) = (next.Share * pace, spent.GetValueOrDefault(next.Stage.Name));
            bool fits = at + expected <= settings.Limit && (share is null || used + expected <= share);
            string clock = fits ? $"at {(int)at.TotalMinutes}:{at.Seconds:00}" : "as time is left";
            string together = share is { } all ? $"; first cases of {next.Stage.Name} together {all.TotalSeconds:0}" : "";
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"{next.Title,-36} {clock,-16} {expected.TotalSeconds,4:0} s, at most {most.TotalSeconds:0}{together}"
            );
            if (fits)
            {
                at += expected;
                spent[next.Stage.Name] = used + expected;
            }
        }

        return text.ToString();
    }
}
