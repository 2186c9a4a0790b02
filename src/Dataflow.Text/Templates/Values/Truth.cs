using System.Numerics;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Which values count as true.</summary>
internal static class Truth
{
    public static bool Of(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        long l => l != 0,
        double d => d != 0,
        BigInteger big => !big.IsZero,
        string s => s.Length > 0,
        Markup m => m.Text.Length > 0,
        ListValue list => list.Items.Count > 0,
        TupleValue tuple => tuple.Items.Length > 0,
        DictValue dict => dict.Count > 0,
        DictView view => view.Owner.Count > 0,
        RangeValue range => range.Count > 0,
        BytesValue bytes => bytes.Bytes.Length > 0,
        LoopContext loop => loop.Length > 0,
        _ => true,
    };
}
