/* The same tree work by libxml2, for the ratio: read four documents into trees, copy the parts of each into one new
 * document in the schema's order with namespaces reconciled, write it. It resolves nothing: no fields are compared,
 * no contacts, no times, so that the comparison is in libxml2's favour.
 *
 *   cc -O2 merge.c $(pkg-config --cflags --libs libxml-2.0) -o merge && ./merge ../../tests/fixtures/phones/x.xml ...
 *   valgrind --tool=callgrind --toggle-collect=read_merge_write ./merge -n 100 ...     (instructions, noise-free)
 */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DOCUMENTS = 8 };

/* Short rounds, many of them: the best is one that nothing interrupted. */
static int rounds = 3000, calls = 10;

static char *texts[DOCUMENTS];
static int lengths[DOCUMENTS];
static int count;

static xmlDocPtr read_one(int i) {
    return xmlReadMemory(texts[i], lengths[i], NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
}

static int rank(const xmlNode *node) {
    if (xmlStrEqual(node->name, BAD_CAST "tuple")) return 0;
    if (xmlStrEqual(node->name, BAD_CAST "note")) return 1;
    return 2;
}

/* Takes all elements below the roots, in the order of the schema. */
static int merge(xmlDocPtr *documents, int writing) {
    xmlDocPtr out = xmlNewDoc(BAD_CAST "1.0");
    xmlNodePtr root = xmlNewNode(NULL, BAD_CAST "presence");
    xmlDocSetRootElement(out, root);
    xmlSetNs(root, xmlNewNs(root, BAD_CAST "urn:ietf:params:xml:ns:pidf", NULL));
    xmlNewProp(root, BAD_CAST "entity", BAD_CAST "sip:alice@example.com");
    for (int wanted = 0; wanted < 3; wanted++)
        for (int i = 0; i < count; i++)
            for (xmlNodePtr node = xmlDocGetRootElement(documents[i])->children; node; node = node->next)
                if (node->type == XML_ELEMENT_NODE && rank(node) == wanted) {
                    xmlNodePtr copy = xmlDocCopyNode(node, out, 1);
                    xmlAddChild(root, copy);
                    xmlReconciliateNs(out, copy);
                }
    int size = 0;
    if (writing) {
        xmlChar *text = NULL;
        xmlDocDumpMemory(out, &text, &size);
        xmlFree(text);
    }
    xmlFreeDoc(out);
    return size;
}

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static xmlDocPtr kept[DOCUMENTS];

__attribute__((noinline)) static void read_all(void) {
    for (int i = 0; i < count; i++) xmlFreeDoc(read_one(i));
}

__attribute__((noinline)) static void merge_write(void) { merge(kept, 1); }

__attribute__((noinline)) static void read_merge_write(void) {
    xmlDocPtr documents[DOCUMENTS];
    for (int i = 0; i < count; i++) documents[i] = read_one(i);
    merge(documents, 1);
    for (int i = 0; i < count; i++) xmlFreeDoc(documents[i]);
}

static void best(const char *name, void (*what)(void)) {
    double least = 1e18;
    for (int round = 0; round < rounds; round++) {
        double start = now_us();
        for (int call = 0; call < calls; call++) what();
        double each = (now_us() - start) / calls;
        if (each < least) least = each;
    }
    printf("libxml2 %s, %d documents: %.2f us\n", name, count, least);
}

int main(int argc, char **argv) {
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) { /* so many calls, once: for counting instructions */
        rounds = 1;
        calls = atoi(argv[2]);
        first = 3;
    }
    for (int i = first; i < argc && count < DOCUMENTS; i++, count++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) { perror(argv[i]); return 1; }
        texts[count] = malloc(65536);
        lengths[count] = (int)fread(texts[count], 1, 65536, file);
        fclose(file);
        kept[count] = read_one(count);
        if (!kept[count]) { fprintf(stderr, "%s is no XML\n", argv[i]); return 1; }
    }
    if (count == 0) { fprintf(stderr, "usage: merge FILE...\n"); return 1; }
    best("read", read_all);
    best("merge + write", merge_write);
    best("read + merge + write", read_merge_write);
    return 0;
}
