using System.Collections.Frozen;

namespace Dataflow.Formats;

/// <summary>The types of GGUF files that are read, and the names of those that are not.</summary>
internal static class BlockFormats
{
    /// <summary>All that are read.</summary>
    public static IReadOnlyList<BlockFormat> All { get; } =
    [
        new F32Blocks(), new F16Blocks(), new BF16Blocks(), new Q4_0Blocks(), new Q4_1Blocks(), new Q5_0Blocks(), new Q5_1Blocks(),
        new Q8_0Blocks(), new Q2_KBlocks(), new Q3_KBlocks(), new Q4_KBlocks(), new Q5_KBlocks(), new Q6_KBlocks(), new Q8_KBlocks(),
        new IQ4_NLBlocks(), new IQ4_XSBlocks(), new MXFP4Blocks(), new NVFP4Blocks(), new TQ1_0Blocks(), new TQ2_0Blocks(),
    ];

    // Their levels are in large tables, or they hold no numbers of a model.
    private static readonly FrozenDictionary<uint, string> s_refused = new Dictionary<uint, string>
    {
        [9] = "Q8_1", [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [21] = "IQ3_S", [22] = "IQ2_S", [24] = "I8",
        [25] = "I16", [26] = "I32", [27] = "I64", [28] = "F64", [29] = "IQ1_M", [41] = "Q1_0",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<uint, BlockFormat> s_byNumber = All.ToFrozenDictionary(f => f.Number);
    private static readonly FrozenDictionary<string, BlockFormat> s_byName = All.ToFrozenDictionary(f => f.Name);

    /// <summary>The names of those that are read, for messages.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(f => f.Name));

    /// <summary>The format of a type's number; null if it is not read.</summary>
    public static BlockFormat? Find(uint number) => s_byNumber.GetValueOrDefault(number);

    /// <summary>The format of a name.</summary>
    public static BlockFormat Of(string name) => s_byName[name];

    /// <summary>What a type is called in messages.</summary>
    public static string NameOf(uint number) =>
        Find(number)?.Name ?? s_refused.GetValueOrDefault(number) ?? $"{number}, which nobody knows";
}
