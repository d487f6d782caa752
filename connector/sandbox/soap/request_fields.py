"""The fields of each request in the order of the schema: `!` required, `*` honoured by the sandbox. Pure data."""

_SALES = (
    "fromFinancialDate throughFinancialDate branchNumbers employeeNumbers relationNumbers supplierRelationNumbers"
    " articleNumbers articleTurnoverGroups"
)
_MARKERS = "syncMarker* syncMarkerLimit*"
_PLUS = "articlePluNumbers articleBarcodes activityId"
_MUST = "articlePluNumbers! articleBarcodes! activityId"
_PURCHASE = "branchNumbers employeeNumbers relationNumbers articleNumbers articleTurnoverGroups articlePluNumbers articleBarcodes"
_MAIL = "includeLastMailTimelineEvents lastMailTimelineEventsFilter"
_SIGNING = "includeSigningTimelineEvents signingTimelineEventsFilter"
_DEBIT = "includeDirectDebitTimelineEvents directDebitTimelineEventsFilter"
_OTHER = "includeOtherTimelineEvents otherTimelineEventsFilter"
_OWNER = "ownerFilter branchGroupFilter"
_ORDERED = (
    f"{_MARKERS} fromOrderDate throughOrderDate fromDeliveryDate throughDeliveryDate {_PURCHASE} purchaseOrderStates"
    " includeLineList*"
)
_DELIVERED = f"{_MARKERS} fromDeliveryDate throughDeliveryDate {_PURCHASE} includeLineList*"

NOTHING = ""
PRODUCTS = (
    f"articleNumbers groupNumbers pluNumbers! onlyWebshop onlyActive {_MARKERS} syncMarkerExcludePreparationMethods"
    " changedSinceTimestamp changedSinceBranchNumber includeAllArticlesOfSelectedProducts* productNumbers*"
)
ARTICLE_GROUPS = f"{_MARKERS} groupNumbers*"
RELATIONS = f"relationNumbers* categoryId {_MARKERS}"
EMPLOYEES = f"employeeNumbers* {_MARKERS}"
INVOICES = (
    f"{_MARKERS} {_SALES} {_MUST} finalizeInvoices invoiceIds* invoiceNumbers {_OWNER} includeLineList* branchInvoiceNumbers"
    f" contractFrequencyFilter directDebit {_MAIL} {_SIGNING} {_DEBIT} {_OTHER}"
)
RECEIPTS = f"{_MARKERS} {_SALES} {_MUST} includeOrderReferences {_OWNER} receiptIds* includeLineList* {_MAIL} {_SIGNING} {_OTHER}"
ORDERS = (
    f"{_MARKERS} {_SALES} {_MUST} orderTypeList* orderIds* orderNumbers {_OWNER} includeLineList* contractFrequencyFilter"
    f" {_MAIL} {_SIGNING} {_OTHER}"
)
PROPOSALS = f"{_MARKERS} {_SALES} {_PLUS} proposalIds* proposalNumbers {_OWNER} includeLineList* {_MAIL} {_SIGNING} {_OTHER}"
STOCK = "branchNumbers articleNumbers fromFinancialDateTime throughFinancialDateTime sinceStockId* sinceStockIdLimit*"
PURCHASE_ORDERS = f"purchaseOrderNumber extPurchaseOrderId {_ORDERED}"
PURCHASE_DELIVERIES = _DELIVERED
PURCHASE_DELIVERIES_V2 = f"purchaseDeliveryNumber extPurchaseDeliveryId {_DELIVERED}"
RELATION_POINTS = f"relationNumbers* {_MARKERS}"
ACTIVITIES = _MARKERS
PACKING_SLIPS = f"{_MARKERS} {_SALES} {_PLUS} packingSlipIds* packingSlipNumbers {_OWNER} includeLineList* typeFilter"
