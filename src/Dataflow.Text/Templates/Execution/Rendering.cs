using System.Text;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>One rendering under way: what is written, the variables of the template as a whole, and where the assistant spoke.</summary>
internal sealed class Rendering(IReadOnlyDictionary<string, object?> variables, DateTime now)
{
    private readonly Stack<StringBuilder> suspended = new();
    private StringBuilder output = new();

    /// <summary>The variables that the template's top level has set, above those that it was given.</summary>
    public Dictionary<string, object?> Exported { get; } = [];

    /// <summary>The blocks by name, once the template is compiled.</summary>
    public required IReadOnlyDictionary<string, BlockBody> Blocks { get; init; }

    public DateTime Now { get; } = now;

    public bool AutoEscape { get; set; }

    /// <summary>The line of the statement under way.</summary>
    public int Line { get; set; }

    /// <summary>Where generation blocks begin and end in the output, in chars.</summary>
    public List<(int Start, int End)> Generations { get; } = [];

    /// <summary>Whether a generation block wrote into text that was still to be used otherwise, so that its place is not known.</summary>
    public bool HasUnplacedGeneration { get; set; }

    public bool IsBuffered => suspended.Count > 0;

    public int Length => output.Length;

    public Random Random { get; } = new(0);

    public string Text => output.ToString();

    public void Write(string text)
    {
        Budget.Output(output.Length, text.Length);
        output.Append(text);
    }

    /// <summary>What is written from here on is kept apart, until <see cref="Take"/>.</summary>
    public void Suspend()
    {
        suspended.Push(output);
        output = new StringBuilder();
    }

    public string Take()
    {
        string text = output.ToString();
        output = suspended.Pop();
        return text;
    }

    /// <summary>A variable of the template as a whole, or <see cref="Missing"/>.</summary>
    public object? Resolve(string name)
    {
        if (Exported.TryGetValue(name, out object? value) || variables.TryGetValue(name, out value)) return value;
        return Builtins.Globals.TryGet(name, out value) ? value : Missing.Value;
    }
}
