using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Which parameters are updated otherwise than the rest.</summary>
internal sealed class GroupFlags
{
    private readonly Option<string[]?> groups = Declare.Several(
        "--group",
        "PATTERN:K=V",
        "update the tensors of a checkpoint that are called so with a learning rate (lr=1e-4) or a factor of it (factor=0.1) and a weight "
            + "decay (decay=0) of their own, as in \"model.layers.[0-15].*|*norm*:factor=0.1,decay=0\": * stands for any characters, ? for "
            + "one, [0-15] for a number, | is or; may be given again: the last that sets a number decides; none takes a resumed run's away",
        t => t == ParameterGroups.NoneName ? t : ParameterGroup.Parse(t).ToString()
    );
    private readonly Option<ParameterClasses?> noDecay = Declare.Option<ParameterClasses?>(
        "--no-decay",
        "CLASSES",
        $"leave these out of weight decay, before all groups: some of {ParameterGroups.ClassNames}, which is what most trainers do, or "
            + $"{ParameterGroups.NoneName} [default: {ParameterGroups.NoneName}, everything decays]",
        t => ParameterGroups.ParseClasses(t)
    );

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => [groups, noDecay];

    /// <summary>What was given.</summary>
    public ParameterGroups Bind(ParseResult parsed) =>
        new()
        {
            NoDecay = parsed.GetValue(noDecay) ?? ParameterClasses.None,
            Groups = parsed.GetValue(groups) is { } given && !given.SequenceEqual([ParameterGroups.NoneName])
                ? [.. given.Select(ParameterGroup.Parse)]
                : [],
        };
}
