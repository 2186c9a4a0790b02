using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow;

/// <summary>What fits, for people and as JSON.</summary>
public static class FitReport
{
    // A gain that no prediction tells from none.
    private const double LeastGain = 0.005;

    /// <summary>A table a method, and above it what the longest sequences are.</summary>
    public static void Write(TextWriter output, FitQuestion question, IReadOnlyList<FitAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(answers);
        var (machine, budget) = (answers[0].Case.Machine, answers[0].Case.Budget);
        output.WriteLine(
            $"{question.Model} on {machine.Name} with {budget.Device} of device memory and {budget.Host} of host memory, predicted:");
        foreach (var method in answers.GroupBy(a => a.Case.Method))
        {
            output.WriteLine();
            output.WriteLine(Head(method.Key, [.. method]));
            if (method.Any(a => a.Figures is not null))
            {
                Table(question, method.Where(a => a.Figures is not null)).WriteTo(output);
            }
        }

        output.WriteLine();
        output.WriteLine("A step has as many tokens as hide the update; larger ones are more rounds and take no more memory.");
        output.WriteLine(
            "The last three columns say what 1 GiB more of device or host memory, or links to the device twice as fast, would bring.");
    }

    /// <summary>An object with an answer a method and length.</summary>
    public static JsonObject Json(FitQuestion question, IReadOnlyList<FitAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(answers);
        return new JsonObject
        {
            ["model"] = question.Model,
            ["hardware"] = answers[0].Case.Machine.Name,
            ["device_budget_bytes"] = answers[0].Case.Budget.Device.Value,
            ["host_budget_bytes"] = answers[0].Case.Budget.Host.Value,
            ["answers"] = new JsonArray([.. answers.Select(a => (JsonNode)Json(question, a))]),
        };
    }

    private static JsonObject Json(FitQuestion question, FitAnswer answer)
    {
        var row = new JsonObject
        {
            ["method"] = FitMethods.NameOf(answer.Case.Method),
            ["seqlen"] = answer.Case.Seqlen,
            ["feasible"] = answer.Figures is not null,
        };
        if (answer.Figures is not { } figures)
        {
            row["reason"] = answer.Reason;
            row["least_host_bytes"] = answer.LeastHost?.Value;
            return row;
        }

        row["tok_per_sec"] = figures.TokensPerSecond;
        row["step_tokens"] = figures.StepTokens;
        row["device_bytes"] = figures.Device.Value;
        row["host_bytes"] = figures.Host.Value;
        row["with_more_device"] = figures.WithMoreDevice;
        row["with_more_host"] = figures.WithMoreHost;
        row["with_faster_links"] = figures.WithFasterLinks;
        if (question.HoursOf(figures) is { } hours)
        {
            row["hours"] = hours;
            row["cost"] = hours * question.Price;
        }

        return row;
    }

    private static string Head(FitMethod method, IReadOnlyList<FitAnswer> answers)
    {
        string options = FitMethods.OptionsOf(method) is { Length: > 0 } given ? $" ({given})" : "";
        var longest = answers.LastOrDefault(a => a.Figures is not null);
        string fits = longest is null
            ? $"none of these lengths fits: {answers[0].Reason}"
            : $"fits up to sequences of {longest.Case.Seqlen:N0} tokens";
        var first = answers.FirstOrDefault(a => a.Figures is null);
        string more = longest is null || first is null ? ""
            : first.LeastHost is { } least ? $"; {first.Case.Seqlen:N0} take at least {least} of host memory"
            : $"; {first.Case.Seqlen:N0} fit with no host memory";
        return $"{FitMethods.NameOf(method)}{options}: {fits}{more}";
    }

    private static TextTable Table(FitQuestion question, IEnumerable<FitAnswer> answers)
    {
        string[] asked = question.Tokens is null ? [] : question.Price is null ? ["hours"] : ["hours", "cost"];
        var table = new TextTable(
            ["seqlen", "tok/s", .. asked, "step tokens", "device", "host", "+1 GiB device", "+1 GiB host", "links x2"]);
        foreach (var answer in answers)
        {
            var f = answer.Figures!;
            string[] times = question.HoursOf(f) is not { } hours ? []
                : question.Price is { } price ? [Number(hours, "N1"), Number(hours * price, "N2")]
                : [Number(hours, "N1")];
            table.Add(
            [
                Number(answer.Case.Seqlen, "N0"), Number(f.TokensPerSecond, "N0"), .. times, Number(f.StepTokens, "N0"), $"{f.Device}",
                $"{f.Host}", Gain(f.WithMoreDevice, f), Gain(f.WithMoreHost, f), Gain(f.WithFasterLinks, f),
            ]);
        }

        return table;
    }

    private static string Gain(double with, FitFigures figures) => with / figures.TokensPerSecond - 1 is >= LeastGain and var gain
        ? $"+{Number(100 * gain, "0.0")}%"
        : "nothing";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
