using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Methods of lists, tuples, ranges and bytes.</summary>
internal static class SequenceMethods
{
    private static readonly Builtin Count = new("count", new("/ value"), i =>
    {
        long count = 0;
        foreach (object? item in Iteration.Of(i.Self))
            if (Equality.Same(item, i[0])) count++;
        return count;
    });

    private static readonly Builtin Index = new("index", new("/ value start? stop?"), i =>
    {
        List<object?> items = Iteration.ToList(i.Self);
        long start = Bound(i.Index(1, 0), items.Count), stop = Bound(i.Index(2, items.Count), items.Count);
        for (long at = start; at < stop; at++)
            if (Equality.Same(items[(int)at], i[0])) return at;
        throw Errors.Value($"{Representation.Repr(i[0])} is not in {TypeNames.Of(i.Self)}");
    });

    public static readonly IReadOnlyDictionary<string, Builtin> OfTuple = new Dictionary<string,
        Builtin> { ["count"] = Count, ["index"] = Index };

    public static readonly IReadOnlyDictionary<string, Builtin> OfList = new Dictionary<string, Builtin>
    {
        ["count"] = Count,
        ["index"] = Index,
        ["copy"] = new("copy", new("/"), i => new ListValue(Iteration.ToList(i.Self))),
    };

    public static readonly IReadOnlyDictionary<string, Builtin> OfBytes = new Dictionary<string, Builtin>
    {
        ["decode"] = new("decode", new("encoding? errors?"), i => Decode(((BytesValue)i.Self!).Bytes)),
        ["hex"] = new("hex", new("/"), i => Convert.ToHexStringLower(((BytesValue)i.Self!).Bytes)),
    };

    private static long Bound(long index, long length) => index < 0 ? Math.Max(0, index + length) : Math.Min(index, length);

    private static string Decode(byte[] bytes)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new TemplateException(TemplateErrorKind.Encoding, "'utf-8' codec can't decode these bytes");
        }
    }
}

/// <summary>Methods of mappings that leave them as they are.</summary>
internal static class DictMethods
{
    public static readonly Builtin FromKeys = new("fromkeys", new("/ iterable value?"), i =>
    {
        DictValue dict = new();
        foreach (object? key in Iteration.ToList(i[0])) dict[key] = i.Or(1, null);
        return dict;
    });

    public static readonly IReadOnlyDictionary<string, Builtin> All = new Dictionary<string, Builtin>
    {
        ["keys"] = new("keys", new("/"), i => new DictView((DictValue)i.Self!, DictViewKind.Keys)),
        ["values"] = new("values", new("/"), i => new DictView((DictValue)i.Self!, DictViewKind.Values)),
        ["items"] = new("items", new("/"), i => new DictView((DictValue)i.Self!, DictViewKind.Items)),
        ["get"] = new("get", new("/ key default?"), i => ((DictValue)i.Self!).TryGetValue(i[0], out object? value) ? value : i.Or(1, null)),
        ["copy"] = new("copy", new("/"), i =>
        {
            Budget.Spend(((DictValue)i.Self!).Count);
            return ((DictValue)i.Self!).Copy();
        }),
        ["fromkeys"] = FromKeys,
    };
}

/// <summary>Methods of numbers.</summary>
internal static class NumberMethods
{
    public static readonly IReadOnlyDictionary<string, Builtin> OfInteger = new Dictionary<string, Builtin>
    {
        ["bit_length"] = new("bit_length", new("/"), i => (long)BigInteger.Abs(Integer(i.Self)).GetBitLength()),
        ["bit_count"] = new("bit_count", new("/"), i => (long)BitCount(BigInteger.Abs(Integer(i.Self)))),
        ["conjugate"] = new("conjugate", new("/"), i => Numbers.Shrink(Integer(i.Self))),
        ["as_integer_ratio"] = new("as_integer_ratio", new("/"), i => new TupleValue([Numbers.Shrink(Integer(i.Self)), 1L])),
    };

    public static readonly IReadOnlyDictionary<string, Builtin> OfFloat = new Dictionary<string, Builtin>
    {
        ["is_integer"] = new("is_integer", new("/"), i => i.Self is double d && double.IsFinite(d) && Math.Floor(d) == d),
        ["conjugate"] = new("conjugate", new("/"), i => i.Self),
    };

    private static BigInteger Integer(object? value)
    {
        Numbers.IsInteger(value, out BigInteger integer);
        return integer;
    }

    private static int BitCount(BigInteger value) => value.ToByteArray().Sum(b => BitOperations.PopCount(b));
}

/// <summary>Methods of the loop variable.</summary>
internal static class LoopMethods
{
    public static readonly Builtin Cycle = new("cycle", new("*"), i =>
    {
        if (i.Given.Length == 0) throw Errors.Type("no items for cycling given");
        return i.Given[(int)(((LoopContext)i.Self!).Index0 % i.Given.Length)];
    });

    public static readonly Builtin Changed = new("changed", new("*"), i => ((LoopContext)i.Self!).HasChanged(i.Given));
}
