using System.Text.Json;

namespace Dataflow.Reports;

/// <summary>
/// The lines of a run's figures (metrics.jsonl) for a page: all that are of no step, and of those of steps at most so many, evenly, so that
/// a run of any length is a page of bounded size. Steps that say what only some say are chosen among themselves.
/// </summary>
/// <param name="name">What the page calls the run.</param>
public sealed class RunLines(string name)
{
    /// <summary>Steps that are kept at least, once there are more.</summary>
    public const int MostSteps = 2000;

    private readonly List<Kept> kept = [];
    private readonly Series plain = new();
    private readonly Series rare = new();
    private int rareSeen;

    /// <summary>What a line is of.</summary>
    private enum Kind
    {
        Other,
        Plain,
        Rare,
    }

    /// <summary>What the page calls it.</summary>
    public string Name { get; } = name;

    /// <summary>What is shown of it, in the order of the file.</summary>
    public IEnumerable<string> Lines => kept.Select(k => k.Line);

    /// <summary>Settings of its run file, by the options' names, as texts; empty where none is known.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; set; } = new Dictionary<string, string>();

    /// <summary>How many lines that is.</summary>
    public int Count => kept.Count;

    /// <summary>Takes the next line.</summary>
    /// <returns>Whether it is shown; a line that is no JSON object is not.</returns>
    public bool Add(string line)
    {
        if (Parse(line) is not { } parsed)
        {
            return false;
        }

        var (kind, place) = parsed switch
        {
            { IsStep: false } => (Kind.Other, 0),
            { IsRare: true } => (Kind.Rare, rareSeen++),
            _ => (Kind.Plain, parsed.Step - 1),
        };
        var series = kind == Kind.Rare ? rare : plain;
        if (kind != Kind.Other && place % series.Every != 0)
        {
            return false;
        }

        kept.Add(new Kept(line, kind, place));
        if (kind != Kind.Other && ++series.Count >= 2 * MostSteps)
        {
            series.Every *= 2;
            kept.RemoveAll(k => k.Kind == kind && k.Place % series.Every != 0);
            series.Count = kept.Count(k => k.Kind == kind);
        }

        return true;
    }

    /// <summary>Forgets all of it: the file was cut.</summary>
    public void Clear()
    {
        kept.Clear();
        (plain.Every, plain.Count, rare.Every, rare.Count, rareSeen) = (1, 0, 1, 0, 0);
    }

    private static (int Step, bool IsStep, bool IsRare)? Parse(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            bool isObject = root.ValueKind == JsonValueKind.Object;
            if (!isObject || !root.TryGetProperty("event", out var kind) || kind.ValueKind != JsonValueKind.String)
            {
                return null;
            }

            int step = root.TryGetProperty("step", out var number) && number.TryGetInt32(out int at) ? at : 0;
            return (step, kind.GetString() == "step", root.TryGetProperty("validation_loss", out _) || root.TryGetProperty("busy", out _));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private readonly record struct Kept(string Line, Kind Kind, int Place);

    /// <summary>Lines of one kind: one of so many is kept, and how many are.</summary>
    private sealed class Series
    {
        public int Every { get; set; } = 1;

        public int Count { get; set; }
    }
}
