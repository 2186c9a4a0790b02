using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>
/// What people are shown instead of a schedule's own names: one list for the command line and for pages, so that both say the same words.
/// </summary>
public static class ShownNames
{
    /// <summary>What an object of that name is: "W/L05" is of the kind "parameters".</summary>
    public static string KindOf(string name) => ObjectFamily.Of(name)?.Label ?? ObjectFamily.PrefixOf(name).ToString();

    /// <summary>The place of a kind in lists; -1 for one that has none.</summary>
    public static int OrderOf(string kind) => ObjectFamily.All.Select(f => f.Label).ToList().IndexOf(kind);

    /// <summary>
    /// What an op that is waited for does: "activations to leave", "parameters to come", or the op's own kind where it copies nothing.
    /// </summary>
    /// <param name="op">What is waited for.</param>
    /// <param name="kind">Of the object that is copied.</param>
    public static string Awaited(OpKind op, string? kind) => op switch
    {
        OpKind.Fetch => $"{kind} to come",
        OpKind.Save => $"{kind} to leave",
        _ => $"{op}",
    };

    /// <summary>A direction of copies: "to device", "to host"; the inbound one of links beyond these is "from" its tier.</summary>
    public static string Of(LinkDirection direction) =>
        direction.IsInbound && direction.Target != MemoryTier.Device ? $"from {direction.Source}" : $"to {direction.Target}";

    /// <summary>A stream: "to device", "to host", "to device (kv)"; "compute" is said as it is.</summary>
    public static string OfStream(string stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        string[] parts = stream.Split('-', 2);
        foreach (var direction in LinkDirection.All.Where(d => StepStreams.NameOf(d) == parts[0]))
        {
            return parts.Length > 1 ? $"{Of(direction)} ({parts[1]})" : Of(direction);
        }

        return stream;
    }
}
