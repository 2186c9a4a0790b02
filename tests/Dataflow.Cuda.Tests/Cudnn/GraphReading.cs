using System.Text.Json.Nodes;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>A tensor as the file says it.</summary>
internal sealed record ReadTensor(
    long Id, long Type, long[] Dimensions, long[] Strides, bool IsVirtual, bool IsByValue, long? Offsets);

/// <summary>An operation as the file says it: what it does, in which type, of which tensors, to which one.</summary>
internal sealed record ReadOperation(string Kind, long Compute, long[] Inputs, long Output);

/// <summary>
/// A graph of the file, held against the rules of the backend on the way: which attributes a descriptor has, in which order, of which type
/// and count, and that references lead back to descriptors of the right type. All numbers here are the header's own, none the builder's.
/// </summary>
internal sealed class GraphReading
{
    private const int Descriptor = 15;

    // Of each type of descriptor its attributes: number, type, elements, type of descriptor that is referred to; optional ones negative.
    private static readonly Dictionary<int, (int Name, int Type, int Count, int Of)[]> s_rules = new()
    {
        [17] =
        [
            (906, 3, 1, 0), (901, 1, 1, 0), (900, 3, 1, 0), (902, 3, 4, 0), (903, 3, 4, 0), (907, 2, 1, 0), (908, 2, 1, 0),
            (-913, Descriptor, 1, 17),
        ],
        [0] = [(0, 14, 1, 0), (1, 1, 1, 0), (-9, 3, 1, 0)],
        [13] =
        [
            (750, Descriptor, 1, 0), (751, Descriptor, 1, 17), (-752, Descriptor, 1, 17), (-758, Descriptor, 1, 17),
            (-757, Descriptor, 1, 17), (-756, Descriptor, 1, 17), (-753, Descriptor, 1, 17), (754, 4, 1, 0), (755, 4, 1, 0),
        ],
        [18] = [(1500, 1, 1, 0), (-1503, 5, 1, 0)],
        [19] =
        [
            (1523, Descriptor, 1, 18), (1520, Descriptor, 1, 17), (1521, Descriptor, 1, 17), (1522, Descriptor, 1, 17),
            (-1525, Descriptor, 1, 17), (-1526, Descriptor, 1, 17), (-1527, Descriptor, 1, 17),
        ],
        [21] = [(1600, 18, 1, 0), (1601, 1, 1, 0)],
        [22] = [(1612, Descriptor, 1, 21), (1610, Descriptor, 1, 17), (1611, Descriptor, 1, 17)],
        [31] = [(2200, Descriptor, 1, 17), (2201, Descriptor, 1, 17)],
        [15] = [(801, Descriptor, 0, -1)],
    };

    private static readonly Dictionary<long, (string Name, int Inputs)> s_pointwise = new()
    {
        [0] = ("add", 2), [1] = ("mul", 2), [3] = ("max", 2), [6] = ("div", 2), [9] = ("sub", 2), [13] = ("exp", 1), [15] = ("log", 1),
        [21] = ("identity", 1), [101] = ("tanh", 1), [201] = ("tanh_bwd", 2), [302] = ("gt", 2), [303] = ("ge", 2), [304] = ("lt", 2),
        [400] = ("and", 2), [501] = ("index", 1), [601] = ("select", 3),
    };

    private readonly List<string> faults = [];
    private readonly List<(int Type, Dictionary<int, double[]> Values)> descriptors = [];
    private readonly HashSet<int> used = [];

    public GraphReading(JsonObject graph)
    {
        var all = graph["descriptors"]!.AsArray();
        for (int i = 0; i < all.Count; i++)
        {
            descriptors.Add(Read(all[i]!.AsObject(), i));
        }

        int last = (int)graph["operation_graph"]!;
        if (faults.Count > 0)
        {
            return;
        }

        if (last != descriptors.Count - 1 || descriptors[last].Type != 15 || descriptors.Count(d => d.Type == 15) != 1)
        {
            faults.Add("the one graph of operations is not the last descriptor, or not the one that is named");
            return;
        }

        Tensors = descriptors.Where(d => d.Type == 17).Select(Tensor).ToList();
        foreach (var twice in Tensors.GroupBy(t => t.Id).Where(g => g.Count() > 1 || g.Key <= 0))
        {
            faults.Add($"id {twice.Key} is not above 0, or of two tensors");
        }

        Operations = [.. descriptors[last].Values[801].Select(place => Operation(descriptors[(int)place]))];
        if (!descriptors[last].Values[801].SequenceEqual(
            Enumerable.Range(0, descriptors.Count).Where(i => descriptors[i].Type is 13 or 19 or 22 or 31).Select(i => (double)i)))
        {
            faults.Add("the graph does not name every operation once, in the order of creation");
        }

        foreach (int idle in Enumerable.Range(0, last).Where(i => !used.Contains(i)))
        {
            faults.Add($"nothing refers to descriptor {idle}");
        }
    }

    public IReadOnlyList<string> Faults => faults;

    public IReadOnlyList<ReadTensor> Tensors { get; } = [];

    public IReadOnlyList<ReadOperation> Operations { get; } = [];

    private (int Type, Dictionary<int, double[]> Values) Read(JsonObject json, int place)
    {
        int type = (int)json["type"]!;
        var values = new Dictionary<int, double[]>();
        if (!s_rules.TryGetValue(type, out var rules))
        {
            faults.Add($"descriptor {place} is of type {type}");
            return (type, values);
        }

        int next = 0;
        foreach (var attribute in json["attributes"]!.AsArray().Select(a => a!.AsObject()))
        {
            int name = (int)attribute["name"]!;
            while (next < rules.Length && Math.Abs(rules[next].Name) != name && rules[next].Name < 0)
            {
                next++;
            }

            if (next == rules.Length || Math.Abs(rules[next].Name) != name)
            {
                faults.Add($"descriptor {place} of type {type} has attribute {name} out of place");
                return (type, values);
            }

            var rule = rules[next++];
            bool refers = rule.Type == Descriptor;
            double[] elements = [.. (attribute[refers ? "descriptors" : "values"]?.AsArray() ?? []).Select(e => (double)e!)];
            if ((int)attribute["type"]! != rule.Type || elements.Length == 0 || (rule.Count > 0 && elements.Length != rule.Count))
            {
                faults.Add($"attribute {name} of descriptor {place} has type {attribute["type"]} and {elements.Length} elements");
            }
            else if (refers && elements.Any(e => !(e >= 0 && e < place) || (rule.Of >= 0 && descriptors[(int)e].Type != rule.Of)))
            {
                faults.Add($"attribute {name} of descriptor {place} refers to what is not before it, or of another type");
            }
            else if (refers)
            {
                used.UnionWith(elements.Select(e => (int)e));
            }

            values[name] = elements;
        }

        if (rules[next..].Any(r => r.Name >= 0))
        {
            faults.Add($"descriptor {place} of type {type} lacks attribute {rules[next..].First(r => r.Name >= 0).Name}");
        }

        return (type, values);
    }

    private ReadTensor Tensor((int Type, Dictionary<int, double[]> Values) descriptor)
    {
        var of = descriptor.Values;
        long id = (long)of[906][0];
        if (of[900][0] != 16)
        {
            faults.Add($"tensor {id} is aligned to {of[900][0]} bytes, not 16");
        }

        if (of[907][0] is not (0 or 1) || of[908][0] is not (0 or 1))
        {
            faults.Add($"a boolean of tensor {id} is neither 0 nor 1");
        }

        return new(
            id,
            (long)of[901][0],
            [.. of[902].Select(v => (long)v)],
            [.. of[903].Select(v => (long)v)],
            of[907][0] == 1,
            of[908][0] == 1,
            of.TryGetValue(913, out double[]? offsets) ? IdAt(offsets[0]) : null
        );
    }

    private long IdAt(double place) => (long)descriptors[(int)place].Values[906][0];

    private ReadOperation Operation((int Type, Dictionary<int, double[]> Values) descriptor) => descriptor.Type switch
    {
        13 => Pointwise(descriptor.Values),
        19 => Product(descriptor.Values),
        22 => Reduced(descriptor.Values),
        31 => new("reshape", -1, [IdAt(descriptor.Values[2200][0])], IdAt(descriptor.Values[2201][0])),
        _ => new($"descriptor of type {descriptor.Type}", -1, [], 0),
    };

    private ReadOperation Pointwise(Dictionary<int, double[]> of)
    {
        var function = descriptors[(int)of[750][0]].Values;
        if (!s_pointwise.TryGetValue((long)function[0][0], out var mode))
        {
            faults.Add($"pointwise mode {function[0][0]} has no part in attention");
            return new("?", -1, [], 0);
        }

        if (of[754][0] != 1 || of[755][0] != 1)
        {
            faults.Add($"{mode.Name} multiplies its operands by {of[754][0]} and {of[755][0]}, not by 1");
        }

        if (mode.Name == "index" != function.ContainsKey(9))
        {
            faults.Add($"{mode.Name} has an axis where it has none, or none where it has one");
        }

        int output = mode.Name == "tanh_bwd" ? 756 : 753;
        int[] inputs = mode.Name == "tanh_bwd" ? [751, 757] : mode.Inputs switch { 1 => [751], 2 => [751, 752], _ => [751, 752, 758] };
        if (!of.Keys.Where(k => k is > 750 and not 754 and not 755).Order().SequenceEqual(inputs.Append(output).Order()))
        {
            faults.Add($"{mode.Name} has other operands than its own");
            return new(mode.Name, -1, [], 0);
        }

        string axis = function.TryGetValue(9, out double[]? along) ? $"{along[0]}" : "";
        return new(mode.Name + axis, (long)function[1][0], [.. inputs.Select(i => IdAt(of[i][0]))], IdAt(of[output][0]));
    }

    private ReadOperation Product(Dictionary<int, double[]> of)
    {
        var matmul = descriptors[(int)of[1523][0]].Values;
        string padded = matmul.TryGetValue(1503, out double[]? value) ? $" padded by {value[0]}" : "";
        string lengths = string.Concat(
            new[] { (1525, "m"), (1526, "n"), (1527, "k") }.Where(o => of.ContainsKey(o.Item1)).Select(o =>
                $" {o.Item2}={IdAt(of[o.Item1][0])}"));
        return new($"matmul{padded}{lengths}", (long)matmul[1500][0], [IdAt(of[1520][0]), IdAt(of[1521][0])], IdAt(of[1522][0]));
    }

    private ReadOperation Reduced(Dictionary<int, double[]> of)
    {
        var reduction = descriptors[(int)of[1612][0]].Values;
        string by = reduction[1600][0] switch { 0 => "sum", 3 => "largest", var other => $"reduction {other}" };
        return new(by, (long)reduction[1601][0], [IdAt(of[1610][0])], IdAt(of[1611][0]));
    }
}
