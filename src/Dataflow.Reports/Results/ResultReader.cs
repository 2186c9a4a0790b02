using System.Globalization;
using System.Text;
using System.Text.Unicode;
using CsvHelper;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Reports;

/// <summary>Reads result files, and refuses with one sentence that names file and line.</summary>
internal static class ResultReader
{
    private static readonly Bytes LargestFile = new(1 << 28);
    private const int LongestShown = 40;

    // Above 1 if a peak is stated too low; far above it, it was meant in percent.
    private const double MostUtilization = 2;

    private static readonly CsvReaderOptions Csv = new()
    {
        HasHeader = false, Separator = ',', TrackLineNumbers = true, TrimWhitespace = true, AllowLineBreaksInQuotes = false,
        MalformedData = CsvMalformedDataHandling.Throw, MaxRecordSize = 1 << 20, Encoding = Encoding.UTF8,
    };

    // A row of a generic file has at least one of these, or says that it is infeasible.
    private static readonly string[] Rates =
    [
        "tok_per_sec",
        "avg_step_time",
        "steps_per_sec",
        "measured_tok_per_sec",
        "predicted_tok_per_sec",
    ];

    public static ResultFile Read(string path, ColumnMapping mapping)
    {
        try
        {
            if (Directory.Exists(path))
            {
                throw new UserErrorException($"{path} is a folder; give a result file");
            }

            byte[] text = WholeFile.ReadBytes(path, LargestFile);
            if (OtherEncoding(text) is { } line)
            {
                throw new UserErrorException($"{path}, line {line}: it is not UTF-8; save the file in that encoding");
            }

            using var reader = CsvReader.Create(new MemoryStream(text), Csv, false);
            return Parse(path, reader, mapping);
        }
        catch (CsvFormatException e)
        {
            throw new UserErrorException(
                $"{path}, line {Math.Max(1, e.LineNumber)}: this is no CSV: a quote inside a field, or one that does not end on its line"
            );
        }
    }

    /// <summary>The first line that is not UTF-8; null if all are.</summary>
    private static int? OtherEncoding(ReadOnlySpan<byte> text)
    {
        int line = 1;
        foreach (var range in text.Split((byte)'\n'))
        {
            if (!Utf8.IsValid(text[range]))
            {
                return line;
            }

            line++;
        }

        return null;
    }

    private static ResultFile Parse(string path, CsvReader reader, ColumnMapping mapping)
    {
        if (!reader.Read())
        {
            throw new UserErrorException($"{path}, line 1: the file is empty; give a file with a head and rows");
        }

        string[] names = reader.Current.ToArray();
        int head = (int)reader.LineNumber;
        var (format, columns) = ColumnsOf(path, head, names, mapping);
        bool statesSource = format == ResultFormat.Published || columns.Any(c => c?.Name == "source");
        var rows = new List<ResultRow>();
        var (seen, superseded) = (new Dictionary<ResultKey, int>(), new List<ResultRow>());
        while (reader.Read())
        {
            var row = Row(path, (int)reader.LineNumber, format, names, columns, reader.Current.ToArray());
            if (rows.Count > 0 && rows[0].Source != row.Source)
            {
                throw new UserErrorException(
                    $"{row.Place}: the source is {ResultColumns.NameOf(row.Source)}, and that of line {rows[0].Line} is "
                        + $"{ResultColumns.NameOf(rows[0].Source)}; a file holds results of one source, so give two files"
                );
            }

            if (!seen.TryAdd(ResultKey.Of(row, format), rows.Count))
            {
                int earlier = seen[ResultKey.Of(row, format)];
                if (!RanAgain(rows[earlier], row, format))
                {
                    throw new UserErrorException(
                        $"{row.Place}: the same cell as line {rows[earlier].Line} ({row.Cell}); leave one of them out"
                    );
                }

                superseded.Add(rows[earlier]);
                rows[earlier] = row;
                continue;
            }

            rows.Add(row);
        }

        return rows.Count > 0 ? new ResultFile(path, format, rows, statesSource) { Superseded = superseded }
            : throw new UserErrorException($"{path}, line {head}: there is a head and no row below it; give a file with results");
    }

    /// <summary>What kind of file the head says, and each of its columns; null for one that is left out.</summary>
    private static (ResultFormat Format, ResultColumn?[] Columns) ColumnsOf(string path, int head, string[] names, ColumnMapping mapping)
    {
        if (names.GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new UserErrorException($"{path}, line {head}: there are two columns '{Shown(twice.Key)}'; leave one out");
        }

        ResultColumn?[] columns = [.. names.Select(ResultColumns.Find)];
        if (columns.All(c => c is not null))
        {
            if (names.Length == ResultColumns.Published.Count && ResultColumns.Published.All(c => names.Contains(c.Name)))
            {
                return (ResultFormat.Published, columns);
            }

            if (ResultColumns.OfThisProgram.All(c => names.Contains(c.Name)))
            {
                return (ResultFormat.Own, columns);
            }
        }

        if (mapping.Columns.Count == 0)
        {
            int strange = Array.IndexOf(columns, null);
            if (strange >= 0)
            {
                if (names.Length == 1 && names[0].AsSpan().ContainsAny(";\t|"))
                {
                    throw new UserErrorException(
                        $"{path}, line {head}: there is one column, '{Shown(names[0])}'; fields of a result file are separated by commas"
                    );
                }

                throw new UserErrorException(
                    $"{path}, line {head}: unknown column '{Shown(names[strange])}'; if this is another program's file, say what its "
                        + $"columns are, as in --columns machine=gpu,tok_per_sec=throughput"
                );
            }
        }

        foreach (var (ours, theirs) in mapping.Columns)
        {
            int at = Array.IndexOf(names, theirs);
            if (at < 0)
            {
                throw new UserErrorException(
                    $"{path}, line {head}: --columns has {ours}={theirs}, and there is no column '{theirs}' (here: "
                        + $"{Shown(string.Join(", ", names), 200)})"
                );
            }

            for (int i = 0; i < columns.Length; i++)
            {
                columns[i] = i == at ? ResultColumns.Find(ours) : columns[i]?.Name == ours ? null : columns[i];
            }
        }

        return !columns.Any(c => c?.Name == "machine")
                ? throw new UserErrorException($"{path}, line {head}: no column is the machine; name it, as in --columns machine=gpu")
            : !columns.Any(c => Rates.Contains(c?.Name))
                ? throw new UserErrorException(
                    $"{path}, line {head}: no column says how fast it was; give one of {string.Join(", ", Rates)}, by --columns if it has "
                        + $"another name"
                )
            : (ResultFormat.Generic, columns);
    }

    private static ResultRow Row(string path, int line, ResultFormat format, string[] names, ResultColumn?[] columns, string[] fields)
    {
        if (fields.SequenceEqual(names))
        {
            throw new UserErrorException($"{path}, line {line}: the head again; these are two files in one, so give them apart");
        }

        if (fields.Length != columns.Length)
        {
            throw new UserErrorException(
                $"{path}, line {line}: {fields.Length} fields where the head has {columns.Length}; the line is torn, or from another file"
            );
        }

        var row = new ResultRow { File = path, Line = line };
        for (int i = 0; i < fields.Length; i++)
        {
            if (columns[i] is { } column && fields[i].Length > 0)
            {
                row = column.Read(row, fields[i])
                    ?? throw new UserErrorException(
                        $"{path}, line {line}: {names[i]} is '{Shown(fields[i])}', and {column.Expected} was expected"
                    );
            }
        }

        return Checked(Completed(row, format), format);
    }

    /// <summary>A published configuration that did not run has zeros, which are no results.</summary>
    private static ResultRow Completed(ResultRow row, ResultFormat format)
    {
        row =
            row.Model is null && row.ModelSize is { } size
                ? row with
                {
                    Model = string.Create(CultureInfo.InvariantCulture, $"{size}b"),
                }
                : row;
        return format != ResultFormat.Published ? row
            : row.StepSeconds > 0 ? row with { Source = ResultSource.Published, MeasuredTokensPerSecond = row.TokensPerSecond }
            : new ResultRow
            {
                File = row.File,
                Line = row.Line,
                Machine = row.Machine,
                HostGiB = row.HostGiB,
                DeviceGiB = row.DeviceGiB,
                Seqlen = row.Seqlen,
                ModelSize = row.ModelSize,
                Model = row.Model,
                Source = ResultSource.Published,
                Feasible = false,
                Reason = "it did not run in the published sweep",
            };
    }

    private static ResultRow Checked(ResultRow row, ResultFormat format)
    {
        string? missing = string.IsNullOrEmpty(row.Machine) ? "machine"
            : format == ResultFormat.Generic ? null
            : row.Seqlen is null ? "seq_len"
            : row.HostGiB is null ? "host_mem_gb"
            : row.DeviceGiB is null ? "dev_mem_gb"
            : row.Model is null ? "model"
            : row.Feasible && row.TokensPerSecond is null ? "tok_per_sec"
            : null;
        return missing is not null
                ? throw new UserErrorException(
                    $"{row.Place}: {missing} is empty; every {(missing == "tok_per_sec" ? "feasible " : "")}row needs it"
                )
            : Contradiction(row, format) is { } contradiction ? throw new UserErrorException($"{row.Place}: {contradiction}")
            : row;
    }

    /// <summary>What cannot be true of a row, and would give figures that look as if it were; null if nothing.</summary>
    private static string? Contradiction(ResultRow row, ResultFormat format)
    {
        double?[] rates =
        [
            row.TokensPerSecond,
            row.StepSeconds,
            row.StepsPerSecond,
            row.MeasuredTokensPerSecond,
            row.PredictedTokensPerSecond,
        ];
        return row.Nodes > 1 && row.Gpus is null ? $"nodes is {row.Nodes} and gpus says nothing; give the GPUs of all nodes together"
            : row.Nodes > row.Gpus ? $"{row.Gpus} gpus cannot be on {row.Nodes} nodes; gpus are those of all nodes together"
            : row.Feasible && row.SequencesPerStep == 0 ? "seqs_per_step is 0 in a row that ran; leave it empty if it is not known"
            : format != ResultFormat.Generic ? null
            : row.Feasible && !rates.Any(r => r > 0)
                ? "nothing says how fast it was; if it did not run, say so in a column feasible (false)"
            : !row.Feasible && rates.Any(r => r > 0) ? "feasible is false, and there is a speed; give one of the two"
            : row.Mfu > MostUtilization || row.Hfu > MostUtilization ? "mfu and hfu are fractions; write 0.55 for 55%"
            : null;
    }

    /// <summary>
    /// The published sweeps have a few cells twice, run again; no two runs take the same time, so equal figures are a copied line.
    /// </summary>
    private static bool RanAgain(ResultRow earlier, ResultRow later, ResultFormat format) =>
        format == ResultFormat.Published && (!earlier.Feasible || !later.Feasible || earlier.StepSeconds != later.StepSeconds);

    private static string Shown(string text, int longest = LongestShown)
    {
        string clean = new([.. text.Select(c => char.IsControl(c) ? ' ' : c)]);
        return clean.Length <= longest ? clean : clean[..longest] + "...";
    }
}
