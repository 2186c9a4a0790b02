namespace Dataflow.Text.Templates.Execution;

/// <summary>The variable <c>self</c>: the template's blocks, to be written again.</summary>
internal sealed class TemplateReference(Rendering rendering)
{
    public bool TryGet(string name, out object? block)
    {
        block = rendering.Blocks.TryGetValue(name, out BlockBody? body) ? new BlockReference(name, body) : null;
        return block is not null;
    }
}

/// <summary>A block that can be called for its text.</summary>
internal sealed class BlockReference(string name, BlockBody body) : Callable
{
    public override string Name => name;

    public override string TypeName => "BlockReference";

    public override object? Call(Rendering rendering, Arguments arguments)
    {
        new Parameters("").Bind("BlockReference.__call__", arguments);
        rendering.Suspend();
        body(rendering, null);
        string text = rendering.Take();
        return rendering.AutoEscape ? new Values.Markup(text) : text;
    }
}
