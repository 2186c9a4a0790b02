using System.Text.Json.Nodes;
using Dataflow.Model;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dataflow;

/// <summary>
/// Reads YAML, of which JSON is a part, event by event: what a run file has no use for (several documents, anchors, tags, deep nesting) is
/// refused by its line rather than followed.
/// </summary>
internal sealed class RunFileReader
{
    private const int Deepest = 8;
    private readonly string path;
    private readonly Parser events;

    private RunFileReader(string path, string text) => (this.path, events) = (path, new Parser(new StringReader(text)));

    /// <summary>The keys of a text.</summary>
    /// <param name="path">Where it is from.</param>
    /// <param name="text">All of it.</param>
    /// <exception cref="UserErrorException">It is no mapping.</exception>
    public static IReadOnlyList<RunFileEntry> Read(string path, string text)
    {
        try
        {
            return new RunFileReader(path, text).Document();
        }
        catch (YamlException e)
        {
            throw new UserErrorException($"{path}, line {e.Start.Line}: this is neither YAML nor JSON ({Reason(e)})");
        }
    }

    private static string Reason(YamlException e) =>
        e.Message[(e.Message.LastIndexOf("): ", StringComparison.Ordinal) is var at and > 0 ? at + 3 : 0)..].TrimEnd('.')
            .ReplaceLineEndings(" ");

    private List<RunFileEntry> Document()
    {
        _ = Next<StreamStart>();
        if (Next() is not DocumentStart)
        {
            throw new UserErrorException($"{path} is empty; give a run at least its model, as in `model: nano`");
        }

        var first = Next();
        if (first is not MappingStart)
        {
            throw Fault(first, "a run file has a name and a value a line, as in `seqlen: 1024`");
        }

        var entries = new List<RunFileEntry>();
        foreach (var (name, value, line) in Pairs(first, depth: 0))
        {
            entries.Add(new RunFileEntry(name, value, line));
        }

        _ = Next<DocumentEnd>();
        return Next() is StreamEnd ? entries : throw Fault(events.Current!, "a run file has one document; leave out what follows");
    }

    private IEnumerable<(string Name, JsonNode? Value, int Line)> Pairs(ParsingEvent start, int depth)
    {
        Check(start, depth);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var key = Next(); key is not MappingEnd; key = Next())
        {
            if (key is not Scalar { Value: { Length: > 0 } name })
            {
                throw Fault(key, "a key is a name");
            }

            if (!seen.Add(name))
            {
                throw Fault(key, $"{name} is there twice; leave one out");
            }

            yield return (name, Value(Next(), depth), (int)key.Start.Line);
        }
    }

    private JsonNode? Value(ParsingEvent found, int depth)
    {
        switch (found)
        {
            case Scalar scalar:
                return scalar is { Style: ScalarStyle.Plain, Value: "" or "~" or "null" } ? null : JsonValue.Create(scalar.Value);
            case SequenceStart:
                Check(found, depth + 1);
                var list = new JsonArray();
                for (var item = Next(); item is not SequenceEnd; item = Next())
                {
                    list.Add(Value(item, depth + 1));
                }

                return list;
            case MappingStart:
                var mapping = new JsonObject();
                foreach (var (name, value, _) in Pairs(found, depth + 1))
                {
                    mapping.Add(name, value);
                }

                return mapping;
            default:
                throw Fault(found, "anchors and aliases are not read; write the value out");
        }
    }

    private void Check(ParsingEvent start, int depth)
    {
        if (depth > Deepest)
        {
            throw Fault(start, $"values are nested more than {Deepest} deep");
        }
    }

    private T Next<T>()
        where T : ParsingEvent => Next() as T ?? throw Fault(events.Current!, "a run file has one document; leave out what follows");

    private ParsingEvent Next()
    {
        try
        {
            while (events.MoveNext() && events.Current is Comment)
            {
                // says nothing
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException or OverflowException)
        {
            // What the library does not expect, as half of a character that has two.
            throw new UserErrorException($"{path} is neither YAML nor JSON behind line {events.Current?.End.Line ?? 1}");
        }

        return events.Current ?? throw new UserErrorException($"{path} ends in its middle");
    }

    private UserErrorException Fault(ParsingEvent at, string why) => new($"{path}, line {at.Start.Line}: {why}");
}
