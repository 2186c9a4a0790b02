using System.Text;

namespace Dataflow.Corpora.Tests;

/// <summary>Texts as documents: files, lines and paragraphs.</summary>
public sealed class TextSourceTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    [Fact]
    public void A_file_is_a_document_as_it_is()
    {
        Passage passage = Assert.Single(_folder.Read("a.txt", "\uFEFFGrün\r\nund  \n"));
        Assert.Equal("Grün\r\nund  \n", passage.Text);
        Assert.Equal((DocumentKind.Text, true, true, 0), (passage.Kind, passage.Begins, passage.Ends, passage.PromptLength));
        Assert.Equal(new SourcePosition(1, 0), passage.Next);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\uFEFF")]
    public void An_empty_file_is_an_empty_document(string text) => Assert.Equal("", Assert.Single(_folder.Read("a.md", text)).Text);

    [Fact]
    public void Lines_are_documents_without_their_ends()
    {
        _folder.Write("a.txt", "\uFEFFone\r\n\ntwo \r\r\nthree");
        List<Passage> read = SourceFolder.ReadFromEverywhere(new SourceOptions { Documents = TextDocuments.Line }, _folder.Root + "/a.txt");
        Assert.Equal(["one", "", "two \r", "three"], read.Select(p => p.Text));
        Assert.Equal([1, 2, 3, 4], read.Select(p => p.Place.Number));
    }

    [Fact]
    public void Paragraphs_are_documents_without_blank_lines()
    {
        _folder.Write("a.txt", "\n \t\n  one\r\ntwo\r\n\r\n\r\n\nthree\n \nfour\n\n\n");
        _folder.Write("b.txt", "\n\n");
        _folder.Write("c.txt", "five\n\nsix");
        List<Passage> read =
            SourceFolder.ReadFromEverywhere(new SourceOptions { Documents = TextDocuments.Paragraph }, _folder.Root + "/*.txt");
        Assert.Equal(["  one\r\ntwo", "three", "four", "five", "six"], read.Select(p => p.Text));
        Assert.Equal([3, 8, 10, 1, 3], read.Select(p => p.Place.Number));
    }

    [Fact]
    public void A_long_document_comes_in_pieces_that_begin_with_a_letter()
    {
        var random = new Random(3);
        var text = new StringBuilder("\uFEFF");
        while (text.Length < 5 << 20)
        {
            text.Append('x', random.Next(40)).Append("é€𝄞 ").Append('y', random.Next(40));
            text.Append(random.Next(6) switch { 0 => "\r\n", 1 => "\n\n", 2 => " \n", 3 => "\n", 4 => "\nZ", _ => "\n9" });
        }

        string path = _folder.Write("long.txt", text.ToString());
        List<Passage> pieces = SourceFolder.ReadFromEverywhere(new SourceOptions(), path);
        Assert.Equal(text.ToString(1, text.Length - 1), string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal(5, pieces.Count);
        Assert.All(pieces.Skip(1), p => Assert.True(char.IsAsciiLetter(p.Text[0])));
        Assert.All(pieces.SkipLast(1), p => Assert.True(p.Text.Length >= 1 << 20 && p.Text[^1] == '\n' && !char.IsWhiteSpace(p.Text[^2])));
        Assert.Equal((true, false), (pieces[0].Begins, pieces[0].Ends));
        Assert.Equal((false, true), (pieces[^1].Begins, pieces[^1].Ends));
        Assert.All(pieces[1..^1], p => Assert.Equal((false, false), (p.Begins, p.Ends)));
        string again = _folder.Write("again.txt.gz", SourceFolder.Gzip(text.ToString()));
        Assert.Equal(pieces.Select(p => p.Text), SourceFolder.ReadFromEverywhere(new SourceOptions(), again).Select(p => p.Text));
    }

    [Fact]
    public void A_long_document_without_a_place_to_cut_is_refused()
    {
        string message = _folder.Refusal("long.txt", new string('x', (16 << 20) + 1));
        Assert.EndsWith(
            "long.txt has 16777216 bytes without a line that begins with a letter, where it could be taken in pieces; give it as lines "
            + "with --documents line, or break it up", message);
        Assert.Single(_folder.Read("long.txt", new string('x', 16 << 20)));
        string feeds = string.Concat(Enumerable.Repeat("words\r\n", 3 << 20));
        Assert.Contains("after one that ends with a line feed alone", _folder.Refusal("returns.txt", feeds));
    }

    [Theory]
    [InlineData(TextDocuments.Line)]
    [InlineData(TextDocuments.Paragraph)]
    public void A_line_or_paragraph_that_is_too_long_is_refused(TextDocuments documents)
    {
        byte[] bytes = new byte[(16 << 20) + 10];
        bytes.AsSpan().Fill((byte)'x');
        (bytes[0], bytes[1], bytes[2]) = ((byte)'a', (byte)'\n', (byte)'\n');
        string message = _folder.Refusal("long.txt", bytes, new SourceOptions { Documents = documents });
        Assert.Contains("long.txt, line 3 begins a document of more than 16777216 characters", message);
    }

    [Fact]
    public void What_is_no_utf8_is_refused_with_its_byte()
    {
        Assert.Contains("bad.txt, byte 4: 0xFF is not UTF-8", _folder.Refusal("bad.txt", [97, 98, 99, 0xFF, 97]));
        Assert.Contains("bad.txt, byte 4: 0xE2 is not UTF-8", _folder.Refusal("bad.txt", [97, 98, 99, 0xE2, 0x82]));
        var options = new SourceOptions { Documents = TextDocuments.Line };
        Assert.Contains(
            "bad.txt, line 2: byte 2 of it (0xC3) is not UTF-8", _folder.Refusal("bad.txt", [97, 10, 98, 0xC3, 98, 10], options));
        Assert.Contains("is UTF-16", _folder.Refusal("bad.txt", [0xFF, 0xFE, 97, 0]));
    }

    [Fact]
    public void A_file_that_is_not_what_it_was_is_refused()
    {
        string path = _folder.Write("a.txt", "abc");
        Assert.Contains("reading was to go on at 10", Assert.Throws<Model.UserErrorException>(
            () => SourceSet.Of([path]).Read(new SourcePosition(0, 10)).Count()).Message);
    }

    public void Dispose() => _folder.Dispose();
}
